"""Standings, stored and read."""

import contextlib
import json
import sys

import pytest
import yaml
from clock import run_script
from planned import renamed

from benchbed.boards.entries.entry import load_entry, save_entry
from benchbed.boards.folders import find_boards
from benchbed.boards.ranking import rank
from benchbed.boards.reading import find_entry, read_standings
from benchbed.boards.standings import compute_standings, write_standings
from benchbed.boards.views.markdown import board_markdown
from benchbed.boards.views.sentences import provisional
from benchbed.errors import EntryError
from benchbed.reporting.wording import place
from benchbed.results.result import load_result, save_result
from benchbed.results.stats import ratio_of_means

LEVEL = "tiny/linear_map@s1"


def test_a_baseline_that_was_superseded_is_still_the_baseline(superseded):
    board = read_standings(superseded / LEVEL)
    assert {row["entry"] for row in board["rows"]} == {"static_mixer-2", "softmax_attention"}
    assert board["baseline"] == "static_mixer"
    assert next(row for row in board["rows"] if row["entry"] == "static_mixer-2")["ratio"] == 1


def test_readers_call_an_entry_by_its_mixer_and_find_the_one_that_counts(superseded, cli):
    assert "static_mixer-2" not in board_markdown(read_standings(superseded / LEVEL))
    assert find_entry(superseded, "static_mixer", None, None).stem == "static_mixer-2"
    assert find_entry(superseded, "static_mixer-2", None, None).stem == "static_mixer-2"
    shown = json.loads(cli("compare", "static_mixer", "softmax_attention", "--json")[1])
    assert shown["names"] == ["static_mixer-2", "softmax_attention"]


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["softmax_attention-heads=4"], ["softmax_attention-heads=4"]),
        (["softmax_attention-heads=4-2"], ["softmax_attention-heads=4"]),
        (["softmax_attention-shift=-2"], ["softmax_attention-shift=-2"]),
        (["softmax_attention-tf32"], ["softmax_attention-tf32"]),
        (["softmax_attention-2", "softmax_attention-heads=4"], ["softmax_attention", "softmax_attention-heads=4"]),
        (["softmax_attention-2", "softmax_attention-3"], ["softmax_attention-2", "softmax_attention-3"]),
    ],
)
def test_an_entry_is_called_by_the_options_that_it_was_published_with(boards, files, names):
    """Else `delta_net` would be one mixer on a board where it has an option, and another one elsewhere."""
    renamed(boards / LEVEL / "softmax_attention.yaml", *files)
    found = {row["entry"]: row["name"] for row in read_standings(boards / LEVEL)["rows"]}
    assert [found[file] for file in files] == names


def test_an_entry_with_an_option_is_no_baseline(boards):
    renamed(boards / LEVEL / "static_mixer.yaml", "static_mixer-heads=4")
    board = read_standings(boards / LEVEL)
    assert board["baseline"] is None
    assert {row["ratio"] for row in board["rows"]} == {None}


def test_stored_standings_are_read_and_stale_ones_are_not(boards):
    folder = boards / LEVEL
    computed = read_standings(folder)
    assert write_standings(folder, write=True)
    assert not write_standings(folder, write=True)
    assert (
        read_standings(folder) == json.loads((folder / "board.json").read_text()) == json.loads(json.dumps(computed))
    )
    path = folder / "softmax_attention.yaml"
    save_entry(load_entry(path).model_copy(update={"withdrawn": "why not"}).sealed(), path)
    assert len(read_standings(folder)["rows"]) == 1
    assert write_standings(folder, write=False)
    (folder / "board.json").write_text("nonsense")
    assert len(read_standings(folder)["rows"]) == 1


def test_entries_are_found_by_name_and_by_file(boards):
    assert find_entry(boards, "static_mixer", None, None) == boards / LEVEL / "static_mixer.yaml"
    assert find_entry(boards, str(boards / LEVEL / "static_mixer.yaml"), None, None).stem == "static_mixer"
    with pytest.raises(EntryError, match="expected it on one board, found it on no board"):
        find_entry(boards, "nobody", None, None)
    with pytest.raises(EntryError, match="no entry file"):
        find_entry(boards, "nobody.yaml", None, None)
    assert find_boards(boards, "tiny", "linear_map") == [boards / LEVEL]


def test_boards_stand_in_the_order_of_their_tracks_levels(tmp_path):
    def filled(*boards):
        for board in boards:
            (tmp_path / board).mkdir(parents=True)
            (tmp_path / board / "mlp_mixer.yaml").touch()

    (tmp_path / "tiny").mkdir()
    levels = {"linear_map": {"levels": {"s9": {}, "s10": {}}}, "copying": {"levels": {"one": {}}}}
    (tmp_path / "tiny" / "track.yaml").write_text(yaml.safe_dump({"tasks": levels}, sort_keys=False))
    filled("tiny/copying@one", "tiny/linear_map@s10", "tiny/a@stray", "tiny/linear_map@s9")
    found = [board.name for board in find_boards(tmp_path, None, None)]
    assert found == ["linear_map@s9", "linear_map@s10", "copying@one", "a@stray"], "and none is dropped"


def test_reading_a_board_costs_little_more_than_its_libraries(boards):
    write_standings(boards / LEVEL, write=True)
    folder = boards.parent
    heavy = "{'torch', 'scipy', 'numpy', 'matplotlib'}"
    read = "import sys; from benchbed.__main__ import main; sys.argv = ['benchbed', 'leaderboard']"
    bare = "import yaml, rich.console, rich.table, rich.text"

    shown = run_script(f"{read}\nmain()\nprint(sorted({heavy} & set(sys.modules)))", folder)[1]
    assert "static_mixer" in shown
    assert shown.endswith("[]\n")
    times = [(run_script(f"{read}; main()", folder)[0], run_script(bare)[0]) for _ in range(8)]
    assert min(reading for reading, _ in times) < 3 * min(start for _, start in times)


@pytest.mark.parametrize("level", [[], ["linear_map@s1"], ["linear_map@s9"]])
def test_the_short_way_to_a_board_shows_what_the_long_one_does(cli, boards, monkeypatch, capsys, level):
    from benchbed.__main__ import main as short

    code, out, err = cli("leaderboard", "show", *level)
    monkeypatch.setattr(sys, "argv", ["benchbed", "leaderboard", *level])
    with contextlib.nullcontext() if code == 0 else pytest.raises(SystemExit, match="2"):
        short()
    assert capsys.readouterr() == (out, err)


def reconfigured(run, part, **changes):
    """The run as if a part of its config had been another."""
    result = load_result(run)
    config = result.config.model_copy(update={part: getattr(result.config, part).model_copy(update=changes)})
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)


def test_a_run_is_shown_among_the_entries_of_its_board(boards, run, cli):
    code, out, err = cli("leaderboard", "linear_map", "--with", run, "--json")
    assert code == 0, err
    (board,) = json.loads(out)
    row = next(row for row in board["rows"] if row["standing"] == "run")
    assert (row["name"], row["steps"]) == ("mlp_mixer (run 1)", load_result(run).restricted_steps)
    entered = load_result(run)
    names, _ = rank({r["entry"]: r["steps"] for r in board["rows"]})
    assert (row["rank"], row["last_rank"]) == names["mlp_mixer (run 1)"], "as if it were an entry"
    assert row["ratio"] == pytest.approx(
        ratio_of_means(entered.restricted_steps, next(r["steps"] for r in board["rows"] if r["ratio"] == 1))[0]
    )
    _, out, _ = cli("leaderboard", "linear_map", "--with", run)
    assert f"mlp_mixer (run 1) would have rank {place(row['rank'], row['last_rank'])} of 3: " in " ".join(out.split())
    assert len(read_standings(boards / LEVEL)["rows"]) == 2, "nothing was added"


def test_runs_among_the_entries_are_called_by_the_options_that_differ(boards, run):
    wide = load_result(run)
    mixer = wide.config.mixer.model_copy(update={"options": {"expansion": 2}})
    narrow = wide.model_copy(update={"config": wide.config.model_copy(update={"mixer": mixer})})
    names = {row["name"] for row in compute_standings(boards / LEVEL, [wide, narrow])["rows"]}
    assert names > {"mlp_mixer expansion=4 (run 1)", "mlp_mixer expansion=2 (run 2)"}


def test_a_quick_look_is_compared_and_named_what_it_is(boards, run, cli):
    result = load_result(run)
    save_result(result.model_copy(update={"unranked": ["--learning-rate 0.01 instead of tuning"]}), run)
    _, out, _ = cli("leaderboard", "linear_map", "--with", run)
    assert "(a quick look, which no board takes: compared by the same tests, and nothing more)" in " ".join(
        out.split()
    )


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("budget", {"held_out": 7}, "expected budget"),
        ("backbone", {"dim": 17}, "expected backbone dim=16"),
        ("task", {"level": "s2"}, "expected a board that it belongs to, found entries on tiny/linear_map@s1 alone"),
        ("task", {"task_version": 9}, "expected task version 1, found 9"),
        ("track", {"hash": "0" * 64}, "expected track"),
    ],
)
def test_a_run_of_another_question_cannot_stand_among_them(boards, run, cli, part, changes, message):
    reconfigured(run, part, **changes)
    code, out, err = cli("leaderboard", "linear_map", "--with", run)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_a_finished_run_says_where_it_would_stand(boards, run):
    said = provisional(boards, load_result(run))
    assert said is not None
    assert said.startswith("mlp_mixer (run 1) would have rank ")
    assert "times the mean steps of static_mixer" in said
    for path in (boards / LEVEL).glob("*.yaml"):
        path.unlink()
    assert provisional(boards, load_result(run)) is None, "nobody to stand among"
    reconfigured(run, "track", name="elsewhere")
    assert provisional(boards, load_result(run)) is None
