"""Boards as readers see them, in the terminal and in documents."""

import json
from typing import Any

import pytest
import yaml
from scipy.stats import spearmanr

from benchbed.boards.comparison import compare
from benchbed.boards.entries.entry import load_entry
from benchbed.boards.reading import read_standings
from benchbed.boards.views.markdown import (
    agreement_markdown,
    fill_document,
    levels_markdown,
    matrix_markdown,
    rates_markdown,
)
from benchbed.boards.views.sentences import sort_rows
from benchbed.config.tracks import load_track
from benchbed.errors import EntryError
from benchbed.results.stats import detectable_ratio

LEVEL = "tiny/linear_map@s1"


def test_sorting_and_reading(cli):
    for sort in ("rank", "mixer", "solved", "steps", "samples", "flops", "seconds", "parameters", "date"):
        code, out, _ = cli("leaderboard", "linear_map", "--sort", sort)
        assert code == 0
        assert "linear_map@s1, track tiny" in out
    rows = json.loads(cli("leaderboard", "--sort", "parameters", "--json")[1])[0]["rows"]
    assert [row["parameters"] for row in rows] == sorted(row["parameters"] for row in rows)
    code, _, err = cli("leaderboard", "linear_map@s9")
    assert (code, "no board of linear_map@s9 in any track; known: linear_map@s1 (track tiny)" in err) == (2, True)


def test_seconds_of_two_devices_are_not_one_order(cli, boards):
    """A GPU's entry stood first by seconds among those of a CPU."""
    board = read_standings(boards / LEVEL)
    rows = [{**board["rows"][0], "device": device, "seconds": s} for device, s in (("a", 9), ("gpu", 1), ("a", 5))]
    ordered: Any = sort_rows(rows, "seconds")  # pyright: ignore[reportArgumentType]
    assert [row["seconds"] for row in ordered] == [5, 9, 1]
    _, out, _ = cli("leaderboard", "linear_map", "--sort", "seconds")
    assert "on one device alone" in " ".join(out.split())
    header, _, row = [line for line in out.splitlines() if line.strip()][1:4]
    assert header.split()[-2:] == ["seconds", "device"]
    assert row.strip().endswith(board["rows"][0]["device"])
    assert "device alone" not in cli("leaderboard", "linear_map", "--sort", "flops")[1]


def test_an_entry_is_shown_as_a_result_is(cli, boards):
    file = boards / LEVEL / "static_mixer.yaml"
    result = load_entry(file).result
    assert json.loads(cli("show", file, "--json")[1]) == result.model_dump(mode="json")
    code, out, _ = cli("show", file)
    assert (code, out.startswith("static_mixer on linear_map@s1, track tiny")) == (0, True)


def test_the_readme_is_filled_and_its_drift_is_found(cli, boards):
    readme = boards.parent / "README.md"
    readme.write_text("# Boards\n\n<!-- board: tiny linear_map@s1 -->\nold\n<!-- /board -->\n\nThe end.\n")
    assert cli("leaderboard", "render", "--check")[0] == 1
    code, out, _ = cli("leaderboard", "render")
    assert (code, "README.md written" in out) == (0, True)
    text = readme.read_text()
    assert text.startswith("# Boards\n")
    assert text.endswith("<!-- /board -->\n\nThe end.\n")
    assert "| `static_mixer` (heads=8) |" in text
    assert "exact permutation tests, false discovery rate 5%" in text
    assert cli("leaderboard", "render", "--check")[0] == 0
    readme.write_text(text.replace("| 8/8 |", "| 9/8 |", 1))
    assert fill_document(readme, boards, write=False)
    readme.write_text(text.replace("linear_map@s1", "linear_map@s2"))
    with pytest.raises(EntryError, match="because a marker names it, found none"):
        fill_document(readme, boards, write=False)


def test_every_page_with_markers_is_looked_at(cli, boards):
    """A list of pages would leave out the next one, whose tables then stay as somebody wrote them."""
    old = "<!-- board: tiny linear_map@s1 -->\nold\n<!-- /board -->\n"
    pages = [boards.parent / "docs" / "a-new-page.md", boards / "another.md"]
    pages[0].parent.mkdir()
    for page in pages:
        page.write_text(old)
    code, out, _ = cli("leaderboard", "render", "--check")
    assert code == 1
    assert all(f"{page.relative_to(boards.parent)} is out of date" in out for page in pages)
    assert cli("leaderboard", "render", "--document", pages[0])[0] == 0
    assert [page.read_text() == old for page in pages] == [False, True]
    code, _, err = cli("leaderboard", "render", "--document", "nowhere.md")
    assert (code, "'nowhere.md' does not exist" in err) == (2, True)


def test_rates_and_pairs_are_filled_into_findings(cli, boards):
    page = boards.parent / "docs" / "findings.md"
    page.parent.mkdir()
    pair = "static_mixer/softmax_attention"
    page.write_text(
        "<!-- rates: tiny linear_map@s1 -->\n<!-- /rates -->\n"
        f"<!-- pairs: tiny linear_map@s1 {pair} -->\nyesterday\n<!-- /pairs -->\n"
    )
    assert cli("leaderboard", "render")[0] == 0
    rates, _, pairs = page.read_text().partition("<!-- /rates -->")
    entry = load_entry(boards / LEVEL / "static_mixer.yaml").result
    line = next(line for line in rates.splitlines() if line.startswith("| `static_mixer`"))
    tuned = [row for row in entry.tuning if row.learning_rate == entry.learning_rate]
    mean = sum(row.steps or entry.config.budget.steps for row in tuned) / len(tuned)
    assert f"**{sum(row.status == 'solved' for row in tuned)}/{len(tuned)} ({mean:,.0f})**" in line
    assert f"{min(entry.restricted_steps)} to " in line
    assert "of 2 chose an end of the rates tried" in rates
    assert "mean rank correlation of" in rates
    assert "yesterday" not in pairs
    expected = compare(boards, ("static_mixer", "softmax_attention"), "tiny", "linear_map@s1")
    line = next(line for line in pairs.splitlines() if line.startswith("| `static_mixer`, `softmax_attention` |"))
    assert f"| {expected.ratio:.2f} [" in line
    assert f"| {expected.p:.2g} | {expected.p:.2g} |" in line
    page.write_text(page.read_text().replace(pair, "static_mixer/nobody"))
    with pytest.raises(EntryError, match="'nobody': expected it on one board"):
        fill_document(page, boards, write=False)


def test_a_matrix_has_every_mixer_on_every_board(boards):
    found = read_standings(boards / LEVEL)
    first, second = found["rows"]
    slow = second | {"solved": second["seeds"] - 1, "mean_steps": 1234.5, "rank": 2}
    withdrawn = first | {"name": "gone", "rank": None}
    several: Any = [found | {"rows": [first, slow, withdrawn]}, found | {"level": "other@one", "rows": [slow]}]
    head, _, *rows = matrix_markdown(several).splitlines()
    assert head == "| mixer | `linear_map`<br>`@s1` | `other`<br>`@one` |"
    both = f"> 1,234 ({slow['solved']}/{slow['seeds']})"
    assert rows[:2] == [
        f"| `{slow['name']}` | {both} | {both} |",
        f"| `{first['name']}` | **{first['mean_steps']:,.0f}** |  |",
    ]
    assert not any("gone" in row for row in rows)


def test_how_well_a_level_tells_mixers_apart(boards):
    """By the second look, of which there is one every ten steps of 60, all seeds of one mixer have solved."""
    found = read_standings(boards / LEVEL)
    row = found["rows"][0]
    steps = {"floor": [10, 20], "all": [10, 30], "some": [10, 60], "none": [60, 60], "gone": [10, 10]}
    rows = [
        row
        | {"name": name, "steps": mine, "mean_steps": sum(mine) / 2, "seeds": 2, "solved": sum(s < 60 for s in mine)}
        | {"rank": None if name == "gone" else 1}
        for name, mine in steps.items()
    ]
    pairs = [{"first": "a", "second": "b", "p": 0.01, "adjusted": adjusted} for adjusted in (0.049, 0.051)]
    board: Any = found | {"rows": rows, "pairs": pairs}
    track = load_track(str(boards / "tiny" / "track.yaml"))
    ratio = detectable_ratio(steps["floor"], steps["all"])
    row_of_level = f"| `linear_map@s1` | 4 | 2 | 1 | `floor`, 15 | 1 | 1 of 2 | {ratio:.2f} |"
    assert row_of_level in levels_markdown([board], track).splitlines()
    page = boards.parent / "levels.md"
    page.write_text("<!-- levels: tiny linear_map@s1 -->\n<!-- /levels -->\n")
    assert fill_document(page, boards, write=True)
    assert levels_markdown([found], track) in page.read_text()


def test_that_no_mixer_chose_an_end_is_said(boards):
    found = read_standings(boards / LEVEL)
    board: Any = found | {"rows": found["rows"][:1]}
    row = board["rows"][0]
    inner = [row["tuning"][0] | {"rate": row["learning_rate"] * factor} for factor in (0.1, 1, 10)]
    row["tuning"] = inner
    assert "No mixer chose an end of the rates tried." in rates_markdown(board)
    row["tuning"] = inner[1:]
    assert "1 of 1 chose an end" in rates_markdown(board)


def test_whether_boards_agree_is_a_rank_correlation_of_who_stands_on_both(boards):
    def board(level, means):
        rows = [{"name": name, "rank": 1, "mean_steps": mean} for name, mean in means.items()]
        return {"level": level, "rows": [*rows, {"name": "not ranked", "rank": None, "mean_steps": 1.0}]}

    first, second = (
        dict(zip("abcdef", (1, 2, 3, 4, 5, 6), strict=True)),
        dict(zip("gfedcb", (9, 4, 5, 3, 1, 2), strict=True)),
    )
    three: Any = [board("one", first), board("two", second), board("three", first)]
    lines = agreement_markdown(three).splitlines()
    assert len(lines) == 2 + 3
    expected = spearmanr([first[name] for name in "bcdef"], [second[name] for name in "bcdef"])[0]
    assert lines[2].startswith(f"| `one`, `two` | 5 | {expected:+.2f} [")
    assert lines[3].startswith("| `one`, `three` | 6 | +1.00 | ")
    p, adjusted = (float(cell) for cell in lines[3].strip(" |").split(" | ")[-2:])
    assert adjusted == pytest.approx(3 * p, rel=0.06), "the smallest of three"
    page = boards.parent / "agreement.md"
    page.write_text("<!-- agreement: tiny linear_map@s1 linear_map@s1 -->\n<!-- /agreement -->\n")
    assert fill_document(page, boards, write=True)
    assert "| levels | mixers on both |" in page.read_text()
    page.write_text("<!-- pairs: tiny static_mixer/softmax_attention -->\n<!-- /pairs -->\n")
    with pytest.raises(EntryError, match="because a marker names it, found none"):
        fill_document(page, boards, write=False)


def test_the_schemas_are_those_of_the_files(cli, boards):
    code, out, _ = cli("schema", "entry")
    schema = json.loads(out)
    assert code == 0
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(yaml.safe_load((boards / LEVEL / "static_mixer.yaml").read_text()))
    assert "learning_rates" in cli("schema", "track")[1]
    assert "tuning" in cli("schema", "result")[1]
