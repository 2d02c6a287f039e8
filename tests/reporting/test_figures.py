"""Pictures show what was measured."""

import numpy as np
import pytest

from benchbed.reporting import figures
from benchbed.reporting.tables import comparison_table
from benchbed.results.history import History, load_history
from benchbed.results.result import load_result


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would have been written."""
    kept = []
    monkeypatch.setattr(figures, "save", lambda figure, *_, **__: kept.append(figure))
    return kept


def test_when_each_output_was_learned_has_a_panel_a_seed(published_boards, drawn, tmp_path):
    result = load_result(published_boards / "runs" / "mlp_mixer")
    seeds, evaluations, tokens = 8, 3, 5
    accuracy = np.linspace(0, 1, seeds * evaluations * tokens).reshape(seeds, evaluations, tokens)
    accuracy[2, 1:] = np.nan  # it had finished
    history = History(np.array([10, 20, 30]), np.zeros_like(accuracy), accuracy)
    figures.plot_outputs(result, history, tmp_path / "outputs.png")
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert len(panels) == seeds
    for panel, row, learned in zip(panels, result.members, accuracy, strict=True):
        (image,) = panel.images
        np.testing.assert_array_equal(np.ma.filled(image.get_array(), np.nan), learned.T)
        assert image.get_extent() == [5, 35, 0.5, 5.5]
        assert panel.get_title().startswith(f"seed {row.seed}: {row.status}")
    empty = [axes for axes in drawn[0].axes if not axes.get_visible()]
    assert len(empty) == 1, "eight seeds on nine places"


def test_two_runs_of_one_mixer_have_different_names_in_a_picture_and_in_a_table(published_boards, drawn, tmp_path):
    folder = published_boards / "runs" / "mlp_mixer"
    result, history = load_result(folder), load_history(folder)
    mixer = result.config.mixer.model_copy(update={"options": {"expansion": 2}})
    narrow = result.model_copy(update={"config": result.config.model_copy(update={"mixer": mixer})})
    figures.plot_results([(result, history), (narrow, history)], tmp_path / "both.png")
    curves, solved = drawn[0].axes
    names = ["mlp_mixer expansion=4", "mlp_mixer expansion=2"]
    assert curves.get_legend_handles_labels()[1] == [*names, "chance"]
    assert [label.partition(":")[0] for label in solved.get_legend_handles_labels()[1]] == names
    (cells, *_) = [column._cells for column in comparison_table([result, narrow]).columns]
    assert cells == names
