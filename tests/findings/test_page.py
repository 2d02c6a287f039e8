"""The page of findings says what the others, the boards and the README say."""

import re

from published import BOARDS, ROOT, levels_of, page

from benchbed import load_overall
from benchbed.boards.entries.entry import load_entry
from benchbed.reporting.wording import bound, with_interval
from benchbed.results.scoring import mean_interval
from benchbed.results.stats import ratio_of_means

PAGE = page("findings")
PAGES = [PAGE, *(page(f"findings-{name}") for name in ("claims", "mixers", "starts"))]


def test_the_first_page_says_of_starts_what_theirs_says(starts):
    page = (ROOT / "docs" / "findings.md").read_text().partition("\n## How much a start moves a mixer\n")[2]
    for name, start in {"Tensor2Tensor": "tensor2tensor", "`nn.Linear`": "torch", "GPT-2": "gpt2"}.items():
        steps = starts[start]
        ratio, interval = ratio_of_means(steps, starts["mlp_mixer"])
        solved = sum(step < 2000 for step in steps)
        cells = [
            f"{solved}/16",
            with_interval(sum(steps) / 16, mean_interval(steps, 2000)),
            bound((solved, 16), (16, 16)) + with_interval(ratio, interval, ".2f"),
        ]
        row = next(line for line in page.splitlines() if line.startswith(f"| {name}'s"))
        assert row.split(" | ")[1:] == [*cells[:2], f"{cells[2]} |"]


def test_which_mechanism_finds_which_pattern():
    """The table says what the boards of the six levels and of parity say; an empty cell is one that they lack."""
    text = PAGE.partition("## Which mechanism finds which pattern")[2].partition("\n## ")[0]
    levels = levels_of("overall", page("findings-mixers"))
    over = {one.name: one.families for one in load_overall("lite", levels=levels, boards=ROOT / "leaderboards")}
    rows = [
        [cell.strip() for cell in line.split("|")[2:-1]] for line in text.splitlines() if "`" in line and "|" in line
    ]
    assert len(rows) == 15
    for name, *cells, parity in ((row[0].strip("`"), *row[1:]) for row in rows):
        for family, cell in zip(("fixed pattern", "content"), cells, strict=True):
            if found := over.get(name, {}).get(family):
                low, high = found.interval or (1, 1)
                shown = f"{found.bound}{found.ratio:.2f} [{low:.2f}, {high:.2f}]"
                assert cell == ("1" if name == "multi_head_attention" else shown)
            else:
                assert cell == ""
        file = BOARDS / "state_tracking@parity" / f"{name}.yaml"
        assert parity == (f"{load_entry(file).result.summary.solved}/16" if file.exists() else "")


def test_what_sixteen_seeds_can_see_is_said_as_the_table_has_it():
    table, _, after = PAGE.partition("<!-- levels: lite")[2].partition("<!-- /levels -->")
    found = dict(re.findall(r"^\| `(\S+)` \|.*\| ([\d.]+) \|$", table, flags=re.MULTILINE))
    for called, kinds in {
        "the automaton and on induction a ratio of": ["cellular_automata", "induction"],
        "recall and copying of": ["associative_recall", "selective_copy"],
        "the maps of": ["linear_map"],
    }.items():
        ratios = [ratio for level, ratio in found.items() if level.partition("@")[0] in kinds]
        assert len(ratios) >= 2
        assert f"on {called} {min(ratios)} to {max(ratios)}" in after


def test_how_full_the_boards_are():
    """What is open once said 'one or two' of a level with four."""
    boards = {folder.name: len([*folder.glob("*.yaml")]) for folder in BOARDS.glob("*/")}
    assert sum(count >= 9 for count in boards.values()) == 8
    assert len(boards) == 13
    full = [count for count in boards.values() if count > 1]
    assert (min(full), max(full)) == (9, 14)
    boards_page = (BOARDS.parent / "README.md").read_text()
    assert "nine to fourteen mixers on one level of each kind" in PAGE
    assert "nine to fourteen have been run on one level of each kind" in boards_page
    assert sum(count == 1 for count in boards.values()) == 5
    assert "Of thirteen levels eight have nine mixers or more, the others one" in PAGE

    papers = ("multi_head_attention", "mlp_mixer", "mamba", "gated_delta_net", "rwkv7", "xlstm", "linear_rnn")
    wanted = [(level, mixer) for level in levels_of("matrix", PAGE) for mixer in (*papers, "static_mixer", "gmlp")]
    assert [cell for cell in wanted if not (BOARDS / cell[0] / f"{cell[1]}.yaml").exists()] == []
    assert "every level for the paper's seven architectures and both static mixers (`static_mixer`, `gmlp`)." in PAGE

    results = [load_entry(path).result for path in BOARDS.glob("*/*.yaml")]
    seconds = {device: sum(r.seconds for r in results if r.config.device == device) for device in ("cpu", "cuda")}
    hours, minutes = seconds["cpu"] / 3600, seconds["cuda"] / 60
    assert f"took two CPU cores {hours:.0f} hours and an H100 {minutes:.0f} minutes" in PAGE


def test_every_interval_in_a_sentence_stands_in_a_table():
    """Tables are rendered, or recomputed by a test; a sentence would go on saying what they said last week.

    What the first page has in its tables stands in those of the others, or in what a test of the paper's page reads.
    """
    number = r"[+-]?[\d,]*\d(?:\.\d+)?"
    others = "\n".join([*PAGES[1:], page("findings-lite-1")]).splitlines()
    tables = "\n".join(line for line in others if line.startswith("|")) + page("paper")
    for text in [*PAGES, page("suites")]:
        sentences = [line for line in text.splitlines() if text is PAGE or not line.startswith("|")]
        said = re.findall(rf"{number} \[{number}, {number}\]", " ".join(map(str.strip, sentences)))
        assert said
        assert [interval for interval in said if interval not in tables] == []


def test_who_takes_the_fewest_steps_over_the_levels_of_the_readmes_picture():
    text = (ROOT / "README.md").read_text()
    levels = levels_of("picture", text)
    found = [one for one in load_overall("lite", levels=levels, boards=ROOT / "leaderboards") if one.ratio]
    first, second, third = sorted(found, key=lambda one: one.ratio or 0)[:3]
    assert f"`{first.name}` and `{second.name}` take the fewest steps [over these six levels]" in text
    assert third.name == "multi_head_attention"
    assert len(levels) == 6
    mixers = page("findings-mixers")
    assert levels_of("overall", mixers) == levels, "the page that it links to is about the same six"
    assert len(found) == 10
    assert "The six levels that ten mixers have all run" in mixers
    assert "which ten mixers have run" in (ROOT / "leaderboards" / "README.md").read_text()
