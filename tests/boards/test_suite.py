"""What a board lacks, and running it; and one mixer on every level."""

import csv
import io
import json
from typing import Any

import pytest
from rich.console import Console

from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.boards.reading import read_standings
from benchbed.boards.score import Score
from benchbed.boards.suite import Vacancy, fill_vacancies, find_vacancies
from benchbed.boards.views.rows import score_rows
from benchbed.boards.views.tables import score_table
from benchbed.config.request import RunRequest
from benchbed.config.tracks import load_track
from benchbed.results.result import load_result
from benchbed.runs.checkpoint import Checkpoint
from benchbed.runs.execute import prepare
from benchbed.training.trajectory import Member, Trajectory

LEVEL = "tiny/linear_map@s1"


def test_a_suite_runs_what_a_board_lacks_and_goes_on_after_a_failure(planted, boards, tmp_path, monkeypatch):
    cells = find_vacancies(boards, "lite", None, None)
    assert Vacancy("mlp_mixer", "linear_map@s3") in cells
    wanted = find_vacancies(boards, "lite", ["mlp_mixer", "planted:wrong_shape", "static_mixer"], ["linear_map"])
    assert wanted == [
        Vacancy("mlp_mixer", "linear_map@s3"),
        Vacancy("planted:wrong_shape", "linear_map@s3"),
        Vacancy("static_mixer", "linear_map@s3"),
    ]
    done = []
    monkeypatch.setattr(
        "benchbed.boards.suite.run_live",
        lambda run, engine, _: done.append((run.config.mixer.name, engine.compiled)),
    )
    console = Console(file=io.StringIO(), width=120)
    failures = fill_vacancies(wanted, "lite", tmp_path / "runs", "cpu", console, compiled=True)
    assert done == [("mlp_mixer", True), ("static_mixer", True)], "the other fails before it trains"
    assert list(failures) == [wanted[1]]
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "2 of 3 cells finished" in text
    assert "failed: planted:wrong_shape on linear_map@s3: mixer WrongShape: expected an output of shape" in text


def test_a_suite_says_beforehand_how_long_each_cell_takes_at_most(planted, boards, cli, tmp_path, monkeypatch):
    """Nothing is trained; one cell is half way, one fails, and one waits to be submitted."""
    runs = {
        name: prepare(RunRequest(name, "linear_map@s3", "lite").resolve("cpu"), tmp_path)
        for name in ("mlp_mixer", "static_mixer")
    }
    runs["static_mixer"].folder.mkdir(parents=True)
    (runs["static_mixer"].folder / "result.yaml").write_text("")
    recipe, lite = runs["mlp_mixer"].recipe, load_track("lite")
    members = [Member(seed, rate) for seed in lite.seeds.tuning for rate in lite.optimiser.learning_rates]
    half = {"trajectories": [Trajectory(m, recipe.budget.steps, stopped=True).to_plain() for m in members]}
    checkpoint = Checkpoint(runs["mlp_mixer"].folder / "checkpoint.pt", runs["mlp_mixer"].config.identity)
    checkpoint.save("tuning", half, 60.0)
    monkeypatch.setattr("benchbed.runs.estimate._seconds_a_step", lambda recipe, engine, members: 0.001)
    monkeypatch.setattr("benchbed.training.engine.cpu_count", lambda: 2)
    mixers = "mlp_mixer,static_mixer,linear_rnn,planted:wrong_shape"
    given = ["--mixers", mixers, "--levels", "linear_map@s3", "--out", tmp_path, "--device", "cpu"]
    code, out, err = cli("suite", "plan", *given, "--json")
    assert code == 0, err
    cells = {cell["mixer"]: (cell["state"], cell["seconds"]) for cell in json.loads(out)}
    assert cells == {
        "mlp_mixer": ("begun", (2 * 8 + 16) * 2000 * 0.001 / 2),
        "static_mixer": ("finished", 0),
        "linear_rnn": ("to do", (5 * 8 + 16) * 2000 * 0.001 / 2),
        "planted:wrong_shape": ("fails", None),
    }, "two further rates on one side of the grid"
    code, out, _ = cli("suite", "plan", *given)
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "mlp_mixer linear_map@s3 0:32 begun" in lines
    assert "linear_rnn linear_map@s3 0:56" in lines
    assert "all 4 1:28" in lines
    order = [line.split()[0] for line in lines if "linear_map@s3" in line]
    assert order[:2] == ["linear_rnn", "mlp_mixer"], "the longest first"
    assert any(line.startswith("planted:wrong_shape linear_map@s3 fails: mixer WrongShape") for line in lines)


@pytest.mark.parametrize("what", ["source", "precision"])
def test_a_board_lacks_a_mixer_whose_source_or_precision_is_another(boards, what):
    path = boards / "lite" / "linear_map@s3" / "static_mixer.yaml"
    path.parent.mkdir(parents=True)
    entry = load_entry(boards / LEVEL / "static_mixer.yaml")
    save_entry(entry, path)
    assert Vacancy("static_mixer", "linear_map@s3") not in find_vacancies(boards, "lite", None, None)
    mixer = entry.result.config.mixer.model_copy(update={"source_hash": "0"})
    change = {"mixer": mixer} if what == "source" else {"tf32": True, "device": "cuda"}
    config = entry.result.config.model_copy(update=change)
    result = entry.result.model_copy(update={"config": config, "identity": config.identity})
    save_entry(entry.model_copy(update={"result": result}).sealed(), path)
    assert Vacancy("static_mixer", "linear_map@s3") in find_vacancies(boards, "lite", None, None)


def test_a_mixer_is_scored_on_every_level_and_goes_on_where_it_was(boards, cli, tmp_path, monkeypatch):
    """One level has a board with a baseline, the other has no entries."""
    monkeypatch.setenv("COLUMNS", "200")
    given = ["--track", boards / "tiny" / "track.yaml", "--out", tmp_path / "runs", "--device", "cpu"]
    levels = ["--levels", "linear_map@s1,linear_map@s2"]
    code, out, err = cli("score", "mlp_mixer", *given, *levels, "--json")
    assert code == 0, err
    assert "2 levels: about " in err
    shown = json.loads(out)
    assert list(shown["levels"]) == ["linear_map@s1", "linear_map@s2"]
    assert list(shown["standings"]) == ["linear_map@s1"]
    row = shown["standings"]["linear_map@s1"]
    assert shown["overall"]["ratio"] == pytest.approx(row["ratio"])
    assert row["standing"] == "quick look", "the track is a file"
    (picture,) = (tmp_path / "runs").rglob("score-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, out, _ = cli("score", "mlp_mixer", *given, *levels, "--csv")
    first, second = csv.DictReader(io.StringIO(out))
    assert (first["level"], first["rank"]) == ("linear_map@s1", str(row["rank"]))
    assert first["steps"] == " ".join(map(str, row["steps"]))
    assert (second["level"], second["rank"], second["ratio"]) == ("linear_map@s2", "", "")
    code, out, _ = cli("score", "mlp_mixer", *given, *levels)
    assert code == 0
    text = " ".join(out.split())
    assert out.count("finished before") == 2, "nothing is trained twice"
    assert f"linear_map@s1 {row['solved']}/8" in text
    assert "no entries" in text
    assert "over these levels" in text


def test_a_scores_ratio_is_a_bound_where_seeds_did_not_solve_and_its_title_has_the_options(published_boards, boards):
    result = load_result(published_boards / "runs" / "mlp_mixer")
    row: Any = read_standings(boards / LEVEL)["rows"][-1] | {"ratio": 1.5, "ratio_interval": [1.2, 1.9]}
    for bound in ("> ", "~ ", ""):
        found = Score("mlp_mixer", "tiny", [result], {result.config.level: row | {"ratio_bound": bound}}, None)
        console = Console(file=io.StringIO(), width=200)
        console.print(score_table(found))
        shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
        assert "mlp_mixer (expansion=4), track tiny" in shown
        assert f"  {bound}1.50 [1.20, 1.90]" in shown
        (cells,) = score_rows(found)
        assert (cells["ratio"], cells["bound"]) == (1.5, bound.strip())
