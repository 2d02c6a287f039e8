import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from planned import planned
from strangers import TINY_TRACK

from benchbed.config.request import RunRequest
from benchbed.errors import ResultError
from benchbed.results.history import HISTORY, load_history
from benchbed.results.result import RESULT, load_result
from benchbed.runs.execute import execute
from benchbed.training.engine import EngineSettings


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One small run, trained once for all tests."""
    base = tmp_path_factory.mktemp("finished")
    (base / "tiny.yaml").write_text(TINY_TRACK)
    request = RunRequest("mlp_mixer", "linear_map", str(base / "tiny.yaml"), max_steps=20, checked=False)
    run = planned(request.resolve("cpu"), base / "run")
    return execute(run, EngineSettings("loop", torch.device("cpu")), lambda _: None).folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it to damage."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_rows_say_how_many_outputs_a_member_knew_at_its_last_evaluation(finished):
    """Members end at different steps; the curves have all of them, NaN after a member's end."""
    result, accuracy = load_result(finished), load_history(finished).accuracy
    for row, mine in zip(result.members, accuracy, strict=True):
        last = mine[np.isfinite(mine).all(axis=1)][-1]
        assert (row.known, result.scored_tokens) == ((last > 0.95).sum(), len(last))
    assert {(row["known"], row["scored_tokens"]) for row in result.rows()} == {
        (row.known, result.scored_tokens) for row in result.members
    }


def test_a_result_of_before_known_outputs_is_read_and_written_as_it_was(folder):
    def older(data):
        del data["scored_tokens"]
        for row in data["members"] + data["tuning"]:
            del row["known"]

    damage(folder, older)
    result = load_result(folder)
    assert {row["known"] for row in result.rows()} == {None}
    assert result.model_dump(mode="json") == yaml.safe_load((folder / RESULT).read_text())


def damage(folder, change):
    path = folder / RESULT
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(extra=1), "unknown option 'extra'"),
        (lambda d: d.pop("summary"), "'summary' is missing"),
        (lambda d: d["members"][0].update(steps="20"), "expected a valid integer, found '20'"),
        (lambda d: d["members"].pop(), r"expected one row for each of the seeds \[0, 1, 2\], found \[0, 1\]"),
        (lambda d: d["config"]["budget"].update(steps=40), "expected identity"),
        (lambda d: d.update(schema_version=2), "has schema version 2, this benchbed reads up to 1; upgrade benchbed"),
        (lambda d: d.pop("schema_version"), "is not a result: expected a schema_version"),
        (lambda d: d.update(chance_loss=float("nan")), "expected a finite number, found .nan"),
        (lambda d: d.update(finished="yesterday"), "isoformat"),
    ],
)
def test_a_damaged_result_is_one_line(folder, change, message):
    damage(folder, change)
    with pytest.raises(ResultError, match=message) as caught:
        load_result(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2", "just text", "a: 1\na: 2", "\x00"])
def test_what_is_no_result_is_one_line(folder, text):
    (folder / RESULT).write_text(text)
    with pytest.raises(ResultError, match=r"is not a (readable )?result"):
        load_result(folder)


def test_every_half_of_a_result_is_refused(folder):
    """A file cut at any line never passes for a whole one."""
    lines = (folder / RESULT).read_text().splitlines(keepends=True)
    for count in range(len(lines)):
        (folder / RESULT).write_text("".join(lines[:count]))
        with pytest.raises(ResultError):
            load_result(folder)


def test_a_missing_result_says_what_was_expected(tmp_path):
    with pytest.raises(ResultError, match=r"expected a result.yaml that `benchbed run` wrote"):
        load_result(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None])
def test_broken_curves_are_one_line(folder, content):
    if content is None:
        np.savez(folder / HISTORY, steps=np.arange(3))
    else:
        (folder / HISTORY).write_bytes(content)
    with pytest.raises(ResultError, match="cannot read the curves"):
        load_history(folder)
