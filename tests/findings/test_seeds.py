"""What is said of the parts of a seed follows from the trainings that are published with it."""

import re

import pytest
import redraws
from published import ROOT, page

from benchbed.reporting.wording import with_interval
from benchbed.results.stats import holm

SECTION = page("findings-starts").partition("\n## What of a seed decides\n")[2].partition("\n## ")[0]
IN_COMMON = {"weights": "instance, data", "instance": "weights, data", "data": "weights, instance"}
MIXERS = ("mlp_mixer", "multi_head_attention")


@pytest.fixture(scope="module")
def drawn():
    """By mixer and what was drawn anew, the log steps of every training."""
    tables = {mixer: redraws.read(ROOT / "docs" / "redraws" / f"linear_map-s3-{mixer}.csv") for mixer in MIXERS}
    return {(mixer, part): groups for mixer, table in tables.items() for part, groups in table.items()}


def test_the_table_says_what_the_trainings_say(drawn):
    found = {key: redraws.alike(groups) for key, groups in drawn.items()}
    adjusted = dict(zip(found, holm([one.p for one in found.values()]), strict=True))
    expected = []
    for mixer in MIXERS:
        for part in redraws.PARTS:
            one = found[mixer, part]
            cells = [
                f"`{mixer}`",
                part,
                IN_COMMON[part],
                with_interval(one.share, list(one.interval), ".2f"),
                f"{one.p:.2g}",
                f"{adjusted[mixer, part]:.2g}",
                f"{one.factor:.2f}",
            ]
            expected.append(f"| {' | '.join(cells)} |")
        expected.append(f"| `{mixer}` | all three | | | | | {redraws.factor(drawn[mixer, 'data'][:, :1].T):.2f} |")
    assert [line for line in SECTION.splitlines() if line.startswith("| `")] == expected


def test_no_training_was_left_out(drawn):
    assert {groups.shape for groups in drawn.values()} == {(16, 1 + redraws.ANEW)}
    for mixer in MIXERS:
        steps = [drawn[mixer, part][:, 0].tolist() for part in redraws.PARTS]
        assert steps[0] == steps[1] == steps[2], "as they are"


def test_its_sentences_are_of_its_table():
    """Numbers in the text stand in the table above it."""
    table = "\n".join(line for line in SECTION.splitlines() if line.startswith("|"))
    text = "\n".join(line for line in SECTION.splitlines() if line.startswith("- "))
    said = re.findall(r"(?<![\d.])-?\d\.\d\d(?![\d.])", text)
    assert said
    assert [number for number in said if number not in table] == []
