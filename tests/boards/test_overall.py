"""A track in one number a mixer."""

import csv
import io
import json
import re
from math import exp, log, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchbed.boards.overall import common_levels, overall, read_overall
from benchbed.boards.reading import read_standings
from benchbed.boards.views.figures import profile_figure
from benchbed.boards.views.markdown import draw_pictures
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError
from benchbed.results.stats import ratio_of_means

LITE = load_track("lite")
LEVELS = ["linear_map@s3", "cellular_automata@pool", "associative_recall@multi", "state_tracking@s3"]


def board(level, rows, baseline: str | None = "base") -> Any:
    """Standings with what the view reads: `(ratio, bound, solved)` by name, of eight seeds."""
    fixed = {"ratio_interval": None, "seeds": 8, "steps": [100] * 8}
    return {
        "level": level,
        "budget": 2000,
        "baseline": baseline,
        "rows": [
            {"name": name, "ratio": ratio, "ratio_bound": bound, "solved": solved, **fixed}
            for name, (ratio, bound, solved) in rows.items()
        ],
    }


def track_of(**mixers):
    """Boards of four levels, two of them of one family, from four ratios a mixer; None where it lacks one."""
    boards = []
    for place, level in enumerate(LEVELS):
        rows = {name: cells[place] for name, cells in mixers.items() if cells[place]}
        rows = {name: cell if isinstance(cell, tuple) else (cell, "", 8) for name, cell in rows.items()}
        boards.append(board(level, {"base": (1.0, "", 8), **rows}))
    return {one.name: one for one in overall(boards, LITE)}


def test_families_weigh_alike_and_levels_do_inside_them():
    found = track_of(mine=[2.0, 8.0, 0.5, 4.0])["mine"]
    assert {family: one.ratio for family, one in found.families.items() if one} == pytest.approx(
        {"fixed pattern": 4.0, "content": 0.5, "state": 4.0}
    )
    assert found.ratio == pytest.approx(prod([4.0, 0.5, 4.0]) ** (1 / 3))
    without = [(8 * 0.5 * 4), (2 * 0.5 * 4), (4 * 4) ** 1.5, (4 * 0.5) ** 1.5]  # cubed; of two families left, squared
    assert found.without_one == pytest.approx((min(without) ** (1 / 3), max(without) ** (1 / 3)))


def test_no_entry_shifts_another_and_the_baseline_is_one():
    alone = track_of(mine=[2.0, 3.0, 0.5, 4.0])
    among = track_of(
        mine=[2.0, 3.0, 0.5, 4.0], fast=[0.01] * 4, slow=[(9.0, "> ", 0)] * 4, odd=[5.0, None, None, 1.0]
    )
    assert among["mine"] == alone["mine"]
    assert among["base"].ratio == pytest.approx(1.0)
    assert list(among) == ["fast", "base", "mine", "slow", "odd"], "the fastest first, those that lack a level last"


def test_who_lacks_a_level_is_shown_and_has_no_place():
    found = track_of(odd=[5.0, None, 2.0, 1.0])["odd"]
    assert (found.ratio, found.without_one, found.missing) == (None, None, ["cellular_automata@pool"])
    assert found.interval is None
    assert found.families["fixed pattern"] is None
    content = found.families["content"]
    assert content is not None
    assert (content.ratio, content.bound) == (pytest.approx(2.0), "")


@pytest.mark.parametrize(
    ("bounds", "whole"),
    [(["", "", "", ""], ""), (["> ", "", "> ", ""], "> "), (["< ", "", "", ""], "< "), (["> ", "< ", "", ""], "~ ")],
)
def test_a_product_of_bounds_is_a_bound_only_if_they_agree(bounds, whole):
    found = track_of(mine=[(2.0, bound, 8 if not bound else 4) for bound in bounds])["mine"]
    assert found.bound == whole
    assert found.solved == pytest.approx(sum(1 if not bound else 0.5 for bound in bounds) / 4)


def drawn(random, spread, seeds=16):
    """Boards of a mixer that takes 0.8, 1.2, 2 and 3 times the steps of the baseline."""
    boards = []
    for level, true in zip(LEVELS, [0.8, 1.2, 2.0, 3.0], strict=True):
        base = random.lognormal(6, spread, seeds)
        steps = {"base": base.round(), "mine": (true * random.lognormal(6, spread, seeds)).round()}
        found = board(level, dict.fromkeys(steps, (1.0, "", 8)))
        for row in found["rows"]:
            ratio, interval = ratio_of_means(steps[row["name"]].tolist(), steps["base"].tolist())
            row |= {"ratio": ratio, "ratio_interval": None if row["name"] == "base" else interval}
            row["steps"] = steps[row["name"]].tolist()
        boards.append(found)
    return boards


@pytest.mark.parametrize("spread", [0.2, 0.6, 1.0])
def test_the_interval_over_levels_covers_at_other_seeds(spread):
    """Two families, of two levels and of one and one: the weights are 1/6, 1/6, 1/3 and 1/3."""
    random, hits, content = np.random.default_rng(0), 0, 0
    truth = exp((log(0.8) + log(1.2)) / 6 + log(2.0) / 3 + log(3.0) / 3)
    for _ in range(400):
        mine = {one.name: one for one in overall(drawn(random, spread), LITE)}["mine"]
        assert mine.ratio is not None
        assert mine.interval is not None
        assert mine.interval[0] < mine.ratio < mine.interval[1]
        hits += mine.interval[0] <= truth <= mine.interval[1]
        one = mine.families["content"]
        assert one is not None
        assert one.interval is not None
        content += one.interval[0] <= 2.0 <= one.interval[1]
    assert 0.9 < hits / 400 < 0.985
    assert 0.9 < content / 400 < 0.985


def test_an_interval_is_given_only_where_every_level_has_one():
    boards = drawn(np.random.default_rng(1), 0.3)
    found = {one.name: one for one in overall(boards, LITE)}
    assert found["base"].interval is None, "the baseline is one times itself"
    whole = found["mine"].interval
    rows = {row["name"]: row for row in boards[0]["rows"]}
    rows["mine"] |= {"ratio_interval": None, "steps": [50] * 8}  # solved in all seeds at one step, on both sides
    narrower = {one.name: one for one in overall(boards, LITE)}["mine"].interval
    assert whole is not None
    assert narrower is not None
    assert narrower[1] / narrower[0] < whole[1] / whole[0]
    for unknown in ({"steps": [50], "seeds": 1, "solved": 1}, {"steps": [2000] * 8, "seeds": 8, "solved": 0}):
        rows["mine"] |= unknown
        assert {one.name: one for one in overall(boards, LITE)}["mine"].interval is None, unknown


def test_levels_that_many_mixers_have_are_named(cli):
    """Where boards are being filled, no mixer has every level, and a table of empty cells helps nobody."""
    gaps = {"a": [1.0, 1.0, 1.0, None], "b": [1.0, 1.0, 1.0, None], "c": [1.0, None, 1.0, None]}
    found = list(track_of(**gaps).values())
    assert common_levels(found) == (LEVELS[:3], 3), "with the baseline; 9 is more than 2 levels of 4, or 4 of 1"
    root = Path(__file__).resolve().parents[2] / "leaderboards"
    _, out, _ = cli("leaderboard", "overall", "--track", "lite", "--boards", root)
    told = re.search(r"^(\d+) mixers have a ratio over: benchbed (leaderboard overall .*)$", out, flags=re.MULTILINE)
    if told is None:  # the boards of lite are full
        assert sum(one.ratio is not None for one in read_overall(root, "lite")) > 1
        return
    code, out, _ = cli(*told[2].split(), "--boards", root, "--json")
    assert (code, sum(one["ratio"] is not None for one in json.loads(out)["lite"])) == (0, int(told[1]))


def test_a_board_without_the_baseline_does_not_count():
    boards = [board(LEVELS[0], {"base": (1.0, "", 8), "mine": (2.0, "", 8)})]
    boards.append(board(LEVELS[1], {"mine": (None, "", 8)}, baseline=None))
    assert [(one.name, one.ratio) for one in overall(boards, LITE)] == [("base", 1.0), ("mine", pytest.approx(2.0))]


def test_the_command(cli, boards):
    code, out, _ = cli("leaderboard", "overall", "--json")
    assert code == 0
    shown = json.loads(out)["tiny"]
    assert {one["name"] for one in shown} == {"static_mixer", "softmax_attention"}
    assert next(one for one in shown if one["name"] == "static_mixer")["ratio"] == 1
    _, out, _ = cli("leaderboard", "overall", "--csv")
    assert {row["level"] for row in csv.DictReader(io.StringIO(out))} == {"linear_map@s1"}
    _, out, _ = cli("leaderboard", "overall")
    assert "track tiny, over all levels" in out
    assert "It depends on no other entry." in " ".join(out.split())


def test_some_levels_of_a_track(cli):
    root = Path(__file__).resolve().parents[2] / "leaderboards"
    chosen = ["linear_map@s3", "associative_recall", "linear_map"]
    some = {one.name: one for one in read_overall(root, "lite-1", chosen)}
    every = {one.name: one for one in read_overall(root, "lite-1")}
    assert list(some["gru"].levels) == ["linear_map@s3", "associative_recall@multi"], "each once, in the order asked"
    assert some["gru"].levels == {level: every["gru"].levels[level] for level in some["gru"].levels}
    assert every["delta_net-kernel=1"].missing == ["cellular_automata@pool"]
    assert some["delta_net-kernel=1"].missing == []
    assert some["delta_net-kernel=1"].ratio is not None, "who lacks another level has a place on these"

    names = ",".join(chosen)
    code, out, _ = cli("leaderboard", "overall", "--track", "lite-1", "--levels", names, "--boards", str(root))
    assert code == 0
    assert "track lite-1, over linear_map@s3, associative_recall@multi" in " ".join(out.split())
    for option, value in [("--levels", names), ("-o", "all.svg")]:
        code, _, err = cli("leaderboard", "overall", option, value, "--boards", str(root))
        assert (code, f"{option}: expected --track" in err) == (2, True)
    code, _, err = cli("leaderboard", "overall", "--track", "lite-1", "--levels", "hops", "--boards", str(root))
    assert (code, "no board of hops in track lite-1" in err) == (2, True)


def test_boards_as_csv_have_a_row_an_entry(cli, boards):
    code, out, _ = cli("leaderboard", "linear_map", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, [row["mixer"] for row in rows]) == (
        0,
        [row["mixer"] for row in read_standings(boards / "tiny/linear_map@s1")["rows"]],
    )
    assert all(float(row["mean_steps_low"]) <= float(row["mean_steps"]) for row in rows if row["mean_steps_low"])
    assert all(len(row["steps"].split()) == int(row["seeds"]) for row in rows)


def test_pictures_that_a_page_has_a_marker_for_are_drawn_where_they_are_out_of_date(tmp_path, boards):
    page, picture = tmp_path / "page.md", tmp_path / "figures" / "all.svg"
    page.write_text("<!-- picture: tiny linear_map@s1 -->\n![Mixers](figures/all.svg)\n")
    assert draw_pictures(page, boards, write=False) == [picture]
    assert not picture.exists()
    assert draw_pictures(page, boards, write=True) == [picture]
    assert draw_pictures(page, boards, write=True) == []
    assert {"static_mixer", "softmax_attention"} < set(re.findall(r">(\w+)</text>", picture.read_text()))
    picture.write_text(picture.read_text().replace(">static_mixer<", ">another<"))
    assert draw_pictures(page, boards, write=False) == [picture], "its words are not those of the boards"
    page.write_text(page.read_text().replace("@s1", "@s2"))
    with pytest.raises(EntryError, match="no board of linear_map@s2"):
        draw_pictures(page, boards, write=False)


def test_the_front_page_has_a_picture_of_todays_boards():
    root = Path(__file__).resolve().parents[2]
    assert "<!-- picture: lite " in (root / "README.md").read_text(encoding="utf-8")
    assert draw_pictures(root / "README.md", root / "leaderboards", write=False) == []
    shown = (root / "docs" / "figures" / "overview-lite-1.svg").read_text(encoding="utf-8")
    assert ">&gt;3.5 (5/8)</text>" in shown


def test_the_profile_names_the_best_and_counts_every_level_alike():
    boards: Any = [
        {**board(LEVELS[0], {"base": (1.0, "", 8)}), "budget": 1000},
        {**board(LEVELS[1], {"base": (1.0, "", 4)}), "budget": 200},
    ]
    text = profile_figure(overall(boards, LITE), "lite")
    assert ">base</text>" in text
    assert "#010203" not in text, "the picture takes the page's colours"
    # 100 steps are a tenth of the first budget and half of the second, of which half of the seeds solve.
    levels = {
        level.budget: (level.solved, level.steps[0]) for level in overall(boards, LITE)[0].levels.values() if level
    }
    assert levels == {1000: (8, 100), 200: (4, 100)}


def test_a_result_as_csv_has_a_row_a_seed(cli, run):
    code, out, _ = cli("show", run, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, [row["seed"] for row in rows]) == (0, [str(seed) for seed in range(8)])
    assert cli("show", "mixer", "mlp_mixer", "--csv")[0] == 2
