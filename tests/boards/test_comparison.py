"""One pair of runs."""

import csv
import io
import json
import re
import shutil

import pytest

from benchbed.boards.comparison import compare
from benchbed.boards.reading import find_entry
from benchbed.errors import EntryError
from benchbed.results.result import load_result, save_result

LEVEL = "tiny/linear_map@s1"


def test_comparing_a_pair(cli, run):
    code, out, _ = cli("compare", "static_mixer", "softmax_attention")
    assert code == 0
    text = " ".join(out.split())
    assert re.search(r"static_mixer takes \d\.\d\d \[.*\] times the mean steps of softmax_attention", text)
    assert "adjusted over the board" in text
    pair = json.loads(cli("compare", "static_mixer", run, "--json")[1])
    assert (pair["names"], pair["adjusted"]) == (["static_mixer", "mlp_mixer"], None)
    assert len(pair["steps"][0]) == len(pair["steps"][1]) == 8
    assert set(pair["costs"][0]) == {"samples", "flops", "seconds"}


def test_a_pair_as_csv_has_a_row_a_run(cli, run):
    code, out, _ = cli("compare", "static_mixer", run, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    pair = json.loads(cli("compare", "static_mixer", run, "--json")[1])
    assert (code, [row["name"] for row in rows]) == (0, pair["names"])
    assert [row["steps"] for row in rows] == [" ".join(map(str, steps)) for steps in pair["steps"]]
    assert [float(row["p"]) for row in rows] == [pair["p"]] * 2
    means = [float(row["mean_steps"]) for row in rows]
    assert means[0] / means[1] == pytest.approx(pair["ratio"])


def test_only_runs_of_one_level_are_compared(cli, run):
    result = load_result(run)
    budget = result.config.budget.model_copy(update={"steps": 120})
    config = result.config.model_copy(update={"budget": budget})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    code, _, err = cli("compare", "static_mixer", run)
    assert (code, "cannot be compared: expected one budget" in err) == (2, True)


def test_a_name_is_an_entry_of_todays_track_unless_another_is_named(boards, run):
    shutil.copytree(boards / "tiny", boards / "tiny-1")
    new, old = boards / LEVEL / "static_mixer.yaml", boards / "tiny-1" / "linear_map@s1" / "static_mixer.yaml"
    assert find_entry(boards, "static_mixer", None, None) == new
    assert find_entry(boards, "static_mixer", "tiny-1", None) == old
    new.unlink()
    assert find_entry(boards, "static_mixer", None, None) == old, "no other has it"


def test_a_task_without_a_level_means_its_default_level(boards, cli):
    """An entry on another level of the task once made a command of the README ambiguous."""
    default = boards / LEVEL
    other = shutil.copytree(default, default.with_name("linear_map@s2"))
    assert find_entry(boards, "static_mixer", None, "linear_map") == default / "static_mixer.yaml"
    assert find_entry(boards, "static_mixer", None, "linear_map@s2") == other / "static_mixer.yaml"
    assert cli("compare", "static_mixer", "softmax_attention", "--level", "linear_map")[0] == 0
    with pytest.raises(EntryError, match="found it on tiny/linear_map@s1"):
        find_entry(boards, "static_mixer", None, None)
    elsewhere = shutil.copytree(boards / "tiny", boards / "other")
    track = (elsewhere / "track.yaml").read_text()
    (elsewhere / "track.yaml").write_text(track.replace("default: s1", "default: s2"))
    with pytest.raises(EntryError, match="found it on other/linear_map@s1"):
        find_entry(boards, "static_mixer", None, "linear_map@s1")  # a level that is named is no question of defaults
    shutil.rmtree(elsewhere)
    (default / "static_mixer.yaml").unlink()
    assert find_entry(boards, "static_mixer", None, "linear_map") == other / "static_mixer.yaml", "no other has it"


def test_beside_a_run_a_name_is_an_entry_of_the_runs_board(boards, run):
    """The run is of version 1, of which there is an archive by now."""
    shutil.copytree(boards / "tiny", boards / "tiny-1")
    sides = ("static_mixer", load_result(run))
    found = compare(boards, sides, None, None)
    assert found.names == ("static_mixer", "mlp_mixer")
    (boards / "tiny-1" / "linear_map@s1" / "static_mixer.yaml").unlink()
    with pytest.raises(EntryError, match="entry 'static_mixer': expected it on one board, found it on no board"):
        compare(boards, sides, None, None)
