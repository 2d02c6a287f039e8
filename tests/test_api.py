"""What a notebook calls: the page that shows it, the folders it shares with the command line, and what it refuses."""

import csv
import importlib
import importlib.machinery
import json
import re
import subprocess
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import benchbed
from benchbed.boards.entries.entry import load_entry
from benchbed.boards.folders import boards_folder
from benchbed.errors import EntryError, OptionError, PluginError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
QUICK = {"max_steps": 50, "seeds": 2, "learning_rate": 1e-3, "device": "cpu"}

MINE = """
from torch import nn

class Mine(nn.Module):
    '''A mixer of one's own.'''
    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, dim)
    def forward(self, x):
        return self.project(x)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, with a mixer of one's own; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_mixer.py").write_text(MINE)
    sys.modules.pop("my_mixer", None)
    yield tmp_path
    sys.modules.pop("my_mixer", None)


def test_importing_it_imports_nothing_heavy_and_editors_see_every_name():
    code = """
import sys
import benchbed
assert set(benchbed.__all__) <= set(dir(benchbed))
print(sorted({"torch", "numpy", "scipy", "pydantic", "rich", "typer"} & set(sys.modules)))
benchbed.load_board, benchbed.list_mixers(), benchbed.load_board("linear_map@s3", track="lite-1")
print(sorted({"torch", "scipy"} & set(sys.modules)))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert answer == "[]\n[]\n"


def test_the_page_runs_as_a_notebook_does(here, monkeypatch):
    """Every block in turn, in one namespace, with a budget of seconds."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    quick = types.SimpleNamespace(**{name: getattr(benchbed, name) for name in benchbed.__all__})
    quick.run = lambda *given, **more: benchbed.run(*given, **(more | QUICK))
    quick.sweep = lambda *given, **more: benchbed.sweep(*given, **(more | QUICK))
    # Runs with a budget of seconds compare with no published entry; the page's own do.
    quick.compare = lambda first, second, **more: benchbed.compare(
        "multi_head_attention" if isinstance(first, benchbed.Result) else first,
        second,
        **(dict[str, Any](track="lite", level="linear_map@s3") | more),
    )
    monkeypatch.setitem(sys.modules, "benchbed_of_the_page", quick)  # pyright: ignore[reportArgumentType]
    # torch asks of every library that it knows where it comes from.
    spec = importlib.machinery.ModuleSpec("pandas", None)
    frames = types.SimpleNamespace(DataFrame=lambda rows: frames.made.append(list(rows)), made=[], __spec__=spec)
    monkeypatch.setitem(sys.modules, "pandas", frames)  # pyright: ignore[reportArgumentType]
    names: dict = {}
    for block in blocks:
        exec(
            re.sub(r"^import benchbed$", "import benchbed_of_the_page as benchbed", block, flags=re.MULTILINE), names
        )
    own, board, swept = frames.made
    assert [row["seed"] for row in own] == [0, 1]
    assert board[0]["rank"] == 1
    assert {row["task.sparsity"] for row in swept} == {1, 2, 3}
    assert names["pair"].ratio > 0


def test_it_shares_its_folders_with_the_command_line(here, command_line):
    result = benchbed.run("mlp_mixer", "linear_map", track="lite", **QUICK)
    quick = ("--max-steps", 50, "--seeds", 2, "--learning-rate", "1e-3", "--device", "cpu")
    code, out, _ = command_line("run", "-m", "mlp_mixer", "-t", "linear_map", "--track", "lite", *quick)
    assert code == 0
    assert "finished before" in out
    (folder,) = (here / "runs").glob("lite/*/mlp_mixer-*")
    assert benchbed.load_result(folder) == result

    rows = benchbed.sweep("mlp_mixer", "linear_map", grid={"task.sparsity": [1, 2]}, checked=False, **QUICK)
    arguments = ("sweep", "-m", "mlp_mixer", "-t", "linear_map", "-g", "task.sparsity=1,2", "--no-check", *quick)
    assert command_line(*arguments)[0] == 0
    (folder,) = (here / "sweeps").iterdir()
    with (folder / "sweep.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows] == table


def test_values_and_text_are_the_same_options(here):
    settings = {**QUICK, "track": "lite", "checked": False}
    first = benchbed.run("multi_head_attention", "linear_map", mixer_options={"heads": 4}, **settings)
    again = benchbed.run("multi_head_attention", "linear_map", mixer_options={"heads": "4"}, **settings)
    assert first == again
    with pytest.raises(OptionError, match=r"option 'heads': expected a valid integer, found 4\.5"):
        benchbed.run("multi_head_attention", "linear_map", mixer_options={"heads": 4.5}, **settings)


def test_a_result_has_a_tidy_row_a_seed_and_is_compared_as_it_is():
    board = boards_folder() / "lite-1" / "linear_map@s3"
    result = load_entry(board / "gru.yaml").result
    rows = result.rows()
    assert [row["seed"] for row in rows] == result.config.scoring_seeds
    assert {(row["mixer"], row["level"], row["budget"]) for row in rows} == {("gru", "linear_map@s3", 2000)}
    assert [row["steps"] for row in rows] == [row.steps for row in result.members]
    pair = benchbed.compare(result, "mlp_mixer", level="linear_map@s3")
    assert pair.names == ("gru", "mlp_mixer")
    assert pair.ratio == benchbed.compare("gru", "mlp_mixer", level="linear_map@s3", track="lite-1").ratio > 1
    assert benchbed.compare("mlp_mixer", result).p == pair.p, "its board is that of the run"


def test_a_pair_is_compared_on_fresh_seeds_as_in_the_terminal(here, command_line):
    told: list[Any] = []
    settings: dict[str, Any] = {"fresh_seeds": 2, "device": "cpu", "observe": told.append}
    pair = benchbed.compare("static_mixer", "mlp_mixer", track="lite", level="induction@short", **settings)
    assert {progress.config.mixer.name for progress in told} == {"static_mixer", "mlp_mixer"}
    assert pair.plain()["seeds"] == [[1_000_000, 1_000_001]] * 2
    options = ("--track", "lite", "--level", "induction", "--fresh-seeds", "--seeds", 2, "--device", "cpu", "--json")
    code, out, err = command_line("compare", "static_mixer", "mlp_mixer", *options)
    assert (code, json.loads(out)["steps"]) == (0, pair.plain()["steps"])
    assert err.count("finished before") == 2, "it lies in the same folders"


def test_a_run_is_shown_among_entries_and_all_levels_together():
    entries = boards_folder() / "lite-1" / "linear_map@s3"
    result = load_entry(entries / "gru.yaml").result
    plain = benchbed.load_board("linear_map@s3", track="lite-1")
    shown = benchbed.load_board("linear_map@s3", track="lite-1", guests=[result])
    assert len(shown["rows"]) == len(plain["rows"]) + 1
    mine, theirs = (row for row in shown["rows"] if row["steps"] == result.restricted_steps)
    assert {mine["standing"], theirs["standing"]} >= {"run"}
    assert mine["ratio"] == theirs["ratio"]
    with pytest.raises(EntryError, match="expected a board that it belongs to"):
        benchbed.load_board("associative_recall", track="lite-1", guests=[result])

    overall = {one.name: one for one in benchbed.load_overall("lite-1")}
    level = overall["gru"].levels["linear_map@s3"]
    assert level is not None
    assert level.ratio == theirs["ratio"]
    assert overall["multi_head_attention"].ratio == 1
    one_level = benchbed.load_overall("lite-1", levels=["linear_map"])
    assert {tuple(one.levels) for one in one_level} == {("linear_map@s3",)}


def test_a_class_is_found_again_by_its_name(here):
    module = importlib.import_module("my_mixer")
    result = benchbed.run(module.Mine, "linear_map", track="lite", checked=False, **QUICK)
    assert result.config.mixer.name == "my_mixer:Mine"
    built_in = importlib.import_module("benchbed.mixers.mlp_mixer").MlpMixer
    assert {finding.status for finding in benchbed.check(built_in)} <= {"passed", "note"}

    class Here(module.Mine):
        """Made in a function."""

    with pytest.raises(OptionError, match=r"found one made in a notebook or in a function; put it into a file"):
        benchbed.run(Here, "linear_map", **QUICK)


@pytest.mark.parametrize("imported", [True, False])
def test_code_that_was_edited_since_it_was_imported_is_not_trained(here, imported):
    """The new source's hash would stand on the old code's result."""
    train = partial(benchbed.run, "my_mixer:Mine", "linear_map", track="lite", checked=False, **QUICK)
    if imported:
        importlib.import_module("my_mixer")  # and edited before benchbed sees it
    else:
        train()
    (here / "my_mixer.py").write_text(MINE.replace("self.project(x)", "2 * self.project(x)"))
    with pytest.raises(PluginError, match=r"its source has changed since this process imported it; restart Python"):
        train()
    importlib.reload(sys.modules["my_mixer"])
    assert train().config.mixer.name == "my_mixer:Mine"
    (here / "my_mixer.py").write_text("# A comment is no other code.\n" + (here / "my_mixer.py").read_text())
    train()


def test_a_function_written_twice_is_no_edit(here):
    twice = MINE + "    if True:\n        def extra(self): return 1\n    else:\n        def extra(self): return 2\n"
    (here / "my_mixer.py").write_text(twice)
    assert benchbed.run("my_mixer:Mine", "linear_map", track="lite", checked=False, **QUICK).config.mixer.name


def test_one_board_is_asked_for():
    assert benchbed.load_board("linear_map@s3", track="lite-1")["level"] == "linear_map@s3"
    assert benchbed.load_board("linear_map", track="lite-1")["rows"][0]["rank"] == 1
    with pytest.raises(EntryError, match="no board of nothing in any track"):
        benchbed.load_board("nothing")
    with pytest.raises(OptionError, match="expected a mixer or a task, found both or neither"):
        benchbed.check()
    with pytest.raises(OptionError, match="--match-by: expected --match-parameters with it"):
        benchbed.run("mlp_mixer", "linear_map", match_by="expansion", **QUICK)
    assert "linear_map" in [row["name"] for row in benchbed.list_tasks()]
    assert {"lite", "standard"} <= {row["name"] for row in benchbed.list_tracks()}
