"""One pair of runs."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from planned import renamed

import benchbed
from benchbed.boards.comparison import compare, compare_levels, find_shared, pair_of
from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.boards.overall import read_overall
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.views.rows import pair_rows
from benchbed.boards.views.sentences import verdict, verdict_over_levels
from benchbed.errors import EntryError, ResultError
from benchbed.results.result import load_result, save_result
from benchbed.results.scoring import summarise
from benchbed.results.stats import holm

LEVEL = "tiny/linear_map@s1"


def test_comparing_a_pair(cli, run):
    code, out, _ = cli("compare", "static_mixer", "softmax_attention")
    assert code == 0
    text = " ".join(out.split())
    assert re.search(r"static_mixer takes \d\.\d\d \[.*\] times the mean steps of softmax_attention", text)
    assert "adjusted over the board" in text
    told = re.search(r"(\S+) is faster than|are (not told apart)", text)
    assert told
    assert ("Other seeds may tell: add --fresh-seeds" in text) == bool(told[2])
    shown = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json")[1])["detectable_ratio"]
    assert (f"8 a side tell a ratio of {shown:.2f} apart in four of five tries, 32 one of" in text) == bool(told[2])
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


def test_a_pair_on_fresh_seeds(cli, boards, run):
    """Both are trained at their published rates, once: a second comparison reads what the first has trained."""
    sides = ("compare", "static_mixer", run, "--fresh-seeds", "--seeds", 3, "--device", "cpu")
    code, out, err = cli(*sides, "--json")
    pair = json.loads(out)
    assert (code, pair["names"], pair["adjusted"]) == (0, ["static_mixer", "mlp_mixer"], None)
    assert pair["seeds"] == [[1_000_000, 1_000_001, 1_000_002]] * 2
    found = {path.parent.name.partition("-")[0]: path for path in (boards.parent / "reruns").rglob("result.yaml")}
    trained = {name: load_result(path) for name, path in found.items()}
    rates = {
        "static_mixer": load_entry(find_entry(boards, "static_mixer", None, None)).result,
        "mlp_mixer": load_result(run),
    }
    for name, steps in zip(pair["names"], pair["steps"], strict=True):
        assert trained[name].restricted_steps == steps
        assert trained[name].learning_rate == rates[name].learning_rate
        assert trained[name].tuning == []
        assert any("seeds 1000000 to 1000002 at the rate of a finished run" in why for why in trained[name].unranked)
    assert "finished before" not in err
    code, out, err = cli(*sides, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["steps"] for row in rows] == [" ".join(map(str, steps)) for steps in pair["steps"]]
    assert err.count("finished before") == 2
    shown = cli(*sides)[1]
    assert "1000000 to 1000002" in shown
    assert "--fresh-seeds" not in shown, "they are that already"
    code, _, err = cli("compare", "static_mixer", run, "--seeds", 3)
    assert (code, err) == (2, "benchbed: --seeds: expected --fresh-seeds with it\n")


def test_a_ratio_of_means_that_the_budget_cut_off_is_called_a_bound(boards):
    """`static_mixer takes 0.36 times the steps`, of a rival whose seeds ended their budget: at most that."""
    result = load_entry(find_entry(boards, "static_mixer", None, None)).result
    assert result.summary.solved == 8
    budget = result.config.budget.steps
    rows = [result.members[0].model_copy(update={"seed": s, "status": "unsolved", "steps": None}) for s in range(8)]
    other = result.model_copy(update={"members": rows, "summary": summarise(rows, budget)})
    assert [pair_of(("a", "b"), two).bound for two in ((result, other), (other, result), (other, other))] == [
        "< ",
        "> ",
        "~ ",
    ]
    pair = pair_of(("a", "b"), (result, other))
    assert f"a takes < {pair.ratio:.2f}" in verdict(pair)
    assert pair.plain()["bound"] == pair_rows(pair)[0]["bound"] == "<"


def test_no_other_seeds_are_advised_where_nobody_solves(cli, run, tmp_path, monkeypatch):
    """Fresh ones would take hours, and end at the same budget."""
    result = load_result(run)
    for name in ("one", "two"):
        members = [each.model_copy(update={"status": "unsolved", "steps": None}) for each in result.members]
        summary = summarise(members, budget := result.config.budget.steps)
        (tmp_path / name).mkdir()
        save_result(result.model_copy(update={"members": members, "summary": summary}), tmp_path / name)
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = cli("compare", tmp_path / "one", tmp_path / "two")
    assert (code, f"No seed of either solves within {budget:,} steps" in " ".join(out.split())) == (0, True)
    assert "fresh" not in out
    known = " ".join(str(row.known) for row in result.members)
    (line,) = [line for line in out.splitlines() if "known at the end" in line]
    assert line.count(f"{known} of {result.scored_tokens} outputs, where not solved") == 2


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


def test_beside_a_run_a_name_is_an_entry_of_the_runs_board(boards, run, cli):
    """The run is of version 1, of which there is an archive by now."""
    shutil.copytree(boards / "tiny", boards / "tiny-1")
    assert json.loads(cli("compare", "static_mixer", run, "--json")[1])["names"] == ["static_mixer", "mlp_mixer"]
    sides = ("static_mixer", load_result(run))
    found = compare(boards, sides, None, None)
    assert found.names == ("static_mixer", "mlp_mixer")
    (boards / "tiny-1" / "linear_map@s1" / "static_mixer.yaml").unlink()
    with pytest.raises(EntryError, match="entry 'static_mixer': expected it on one board, found it on no board"):
        compare(boards, sides, None, None)


@pytest.fixture
def two_levels(boards):
    """Both entries of the board once more, on another level of its track that one entry alone has been run on."""
    for path in (boards / LEVEL).glob("*.yaml"):
        entry = load_entry(path)
        config = entry.result.config
        moved = config.model_copy(update={"task": config.task.model_copy(update={"level": "s2"})})
        result = entry.result.model_copy(update={"config": moved, "identity": moved.identity})
        target = boards / "tiny" / "linear_map@s2" / path.name
        target.parent.mkdir(exist_ok=True)
        save_entry(entry.model_copy(update={"result": result}).sealed(), target)
    return boards


def test_two_names_without_a_level_are_compared_on_every_level(cli, two_levels, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = cli("compare", "static_mixer", "softmax_attention")
    text = " ".join(out.split())
    assert code == 0
    assert re.search(r"linear_map@s1 8/8 .* linear_map@s2 8/8 .* over levels", text)
    assert re.search(r"static_mixer is faster on \d, softmax_attention on \d of 2 levels", text)
    (found,) = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json")[1])
    assert list(found["levels"]) == ["linear_map@s1", "linear_map@s2"]
    one = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json", "--level", "linear_map@s1")[1])
    assert {**found["levels"]["linear_map@s1"], "holm": None} == {**one, "holm": None}
    rows = list(csv.DictReader(io.StringIO(cli("compare", "static_mixer", "softmax_attention", "--csv")[1])))
    assert [row["level"] for row in rows] == ["linear_map@s1"] * 2 + ["linear_map@s2"] * 2
    assert {row["holm"] for row in rows} == {str(found["levels"][level]["holm"]) for level in found["levels"]}


def test_a_narrow_terminal_shows_what_matters_most(cli, two_levels, monkeypatch):
    """At 80 columns every number was folded over three lines."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = cli("compare", "static_mixer", "softmax_attention")[1].splitlines()
    header, _, *rows = [line for line in shown if line.strip()][1:]
    assert re.split(r"  +", header.strip())[-2:] == ["A/B [95%]", "Holm"]
    assert "…" not in "".join(shown)
    assert re.search(r"^ *linear_map@s1 .* \d\.\d\d \[\d\.\d\d, \d\.\d\d\] .*(is faster|not told apart)", rows[0])
    assert max(map(len, shown)) <= 80


def test_a_level_that_one_lacks_is_named_and_a_shared_one_found(cli, two_levels):
    (two_levels / LEVEL / "softmax_attention.yaml").unlink()
    pair = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json")[1])
    assert pair["names"] == ["static_mixer", "softmax_attention"], "one level in common is a pair as any"
    shared = find_shared(two_levels, ("static_mixer", "softmax_attention"), None)
    (found,) = compare_levels(two_levels, shared, lambda pair: pair)
    assert (list(found.pairs), found.alone) == (["linear_map@s2"], [["linear_map@s1"], []])
    assert "Only static_mixer has linear_map@s1." in verdict_over_levels(found)
    (two_levels / "tiny" / "linear_map@s2" / "static_mixer.yaml").unlink()
    code, _, err = cli("compare", "static_mixer", "softmax_attention")
    assert code == 2
    assert "found static_mixer on tiny/linear_map@s1 and softmax_attention on tiny/linear_map@s2" in err


def test_an_entry_is_found_by_its_files_name_as_well(two_levels):
    for folder in (two_levels / "tiny").glob("*/"):
        renamed(folder / "static_mixer.yaml", "static_mixer-2")
    for name in ("static_mixer", "static_mixer-2"):
        found = find_shared(two_levels, (name, "softmax_attention"), None)
        assert [all(both) for both in found.values()] == [True, True]


def test_an_entry_with_an_option_is_not_found_as_its_mixer(two_levels):
    for folder in (two_levels / "tiny").glob("*/"):
        renamed(folder / "softmax_attention.yaml", "softmax_attention-heads=4")
    assert all(map(all, find_shared(two_levels, ("softmax_attention-heads=4", "static_mixer"), None).values()))
    with pytest.raises(EntryError, match="found it on no board"):
        find_shared(two_levels, ("softmax_attention", "static_mixer"), None)


def test_two_runs_of_one_mixer_are_told_apart_by_their_options(cli, boards, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other")
    result = load_result(run)
    code, out, _ = cli("compare", run, other, "--json")
    assert (code, json.loads(out)["names"]) == (0, ["mlp_mixer (1)", "mlp_mixer (2)"])
    mixer = result.config.mixer.model_copy(update={"options": {"expansion": 2}})
    changed = result.model_copy(update={"config": result.config.model_copy(update={"mixer": mixer})})
    assert compare(boards, (result, changed), None, None).names == (
        "mlp_mixer expansion=4",
        "mlp_mixer expansion=2",
    )


def test_a_withdrawn_entry_is_no_level_that_two_share(two_levels):
    path = two_levels / LEVEL / "static_mixer.yaml"
    entry = load_entry(path)
    save_entry(entry.model_copy(update={"withdrawn": "a mistake"}).sealed(), path)
    shared = find_shared(two_levels, ("static_mixer", "softmax_attention"), None)
    assert [folder.name for folder, both in shared.items() if all(both)] == ["linear_map@s2"]


def test_the_other_side_is_the_tracks_baseline_where_it_is_left_out(cli, two_levels):
    (found,) = json.loads(cli("compare", "softmax_attention", "--json")[1])
    assert found["names"] == ["softmax_attention", "static_mixer"]
    assert benchbed.compare_levels("softmax_attention", track="tiny", boards=two_levels).names == tuple(
        found["names"]
    )
    file = two_levels / "tiny" / "track.yaml"
    file.write_text(file.read_text().replace("baseline: static_mixer", "baseline: null"))
    code, _, err = cli("compare", "softmax_attention")
    assert (code, err) == (2, "benchbed: expected one baseline of all tracks, found none; name B\n")


def test_a_name_that_no_board_has_is_said_with_the_nearest(cli, two_levels):
    code, _, err = cli("compare", "static_mixer", "softmax_atention")
    assert code == 2
    assert "'softmax_atention': expected it on one board, found it on no board; did you mean 'softmax_at" in err


def test_levels_of_a_pair_come_together_as_the_view_over_all_levels_has_them():
    """Against the baseline both say the same, from two ways of computing it; and Holm is over these levels alone."""
    boards = Path(__file__).resolve().parents[2] / "leaderboards"
    tried = 0
    for name in ("mlp_mixer", "rwkv7", "static_mixer", "softmax_attention"):
        found = benchbed.compare_levels(name, "multi_head_attention", track="lite", boards=boards)
        assert found.overall
        solved = [level for level, pair in found.pairs.items() if any(r.summary.solved for r in pair.results)]
        assert list(found.overall.levels) == solved
        (same,) = [one for one in read_overall(boards, "lite", solved) if one.name == name]
        assert found.overall.ratio == pytest.approx(same.ratio)
        assert found.overall.interval == pytest.approx(same.interval)
        assert found.overall.bound == same.bound
        assert found.overall.without_one == pytest.approx(same.without_one)
        assert list(found.adjusted.values()) == holm([pair.p for pair in found.pairs.values()])
        tried += len(solved)
        on = {
            folder.name
            for folder in (boards / "lite").iterdir()
            if folder.is_dir()
            and {name, "multi_head_attention"} <= {r["name"] for r in read_standings(folder)["rows"]}
        }
        assert set(found.pairs) == on
    assert tried >= 20


def test_fresh_seeds_on_every_level(cli, boards, two_levels, monkeypatch):
    """Every pair is trained again, each at its own rates; here as far as which runs are planned."""
    from benchbed.boards import comparison

    asked = []

    def trained(pair, seeds, device, out, train):
        asked.append((pair.results[0].config.level, seeds))
        return pair

    monkeypatch.setattr(comparison, "on_fresh_seeds", trained)
    code, out, _ = cli("compare", "static_mixer", "softmax_attention", "--fresh-seeds", "--seeds", 3, "--json")
    assert code == 0
    assert asked == [("linear_map@s1", 3), ("linear_map@s2", 3)]
    assert len(json.loads(out)[0]["levels"]) == 2


def test_runs_of_several_levels_are_compared_with_entries(cli, two_levels, run, tmp_path):
    """What a submitter asks: is mine ahead of that one, level by level?"""
    result = load_result(run)
    task = result.config.task.model_copy(update={"level": "s2"})
    config = result.config.model_copy(update={"task": task})
    other = shutil.copytree(run, tmp_path / "run-s2")
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), other)
    (found,) = json.loads(cli("compare", tmp_path / "run*", "static_mixer", "--json")[1])
    assert (found["names"], list(found["levels"])) == (
        ["mlp_mixer", "static_mixer"],
        ["linear_map@s1", "linear_map@s2"],
    )
    same = benchbed.compare_levels(
        [load_result(run), load_result(other)], "static_mixer", track="tiny", boards=two_levels
    )
    assert same.plain() == {**found, "overall": same.plain()["overall"]}
    shutil.copytree(run, tmp_path / "run-again")
    code, _, err = cli("compare", tmp_path / "run*", "static_mixer")
    assert (code, "mlp_mixer: expected one run a level, found runs of linear_map@s1, linear_map@s1" in err) == (
        2,
        True,
    )
    code, _, err = cli("compare", tmp_path / "nothing*", "static_mixer")
    assert (code, "expected folders of finished runs, found none" in err) == (2, True)
    own = load_entry(two_levels / LEVEL / "static_mixer.yaml").result
    with pytest.raises(ResultError, match="expected runs of one mixer, found mlp_mixer expansion=4 and static_mixer"):
        find_shared(two_levels, ([result, own], "static_mixer"), None)


def test_a_folder_that_is_called_as_a_mixer_is_no_run(cli, boards):
    """`benchbed new mixer static_mixer` makes such a folder here."""
    (boards.parent / "static_mixer").mkdir()
    assert cli("compare", "static_mixer", "softmax_attention")[0] == 0
