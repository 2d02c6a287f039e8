"""Pictures show what was measured."""

import numpy as np
import pytest

from benchbed.reporting import figures
from benchbed.results.history import History
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
