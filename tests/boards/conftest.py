"""A copy of two published boards, and a run that is not on them."""

import shutil

import pytest

from benchbed.boards.entries.entry import load_entry, save_entry

LEVEL = "tiny/linear_map@s1"


@pytest.fixture
def cli(command_line, monkeypatch, boards):
    """The command line in the repository of the boards."""
    monkeypatch.chdir(boards.parent)
    return command_line


@pytest.fixture
def run(published_boards, tmp_path):
    """The run of `mlp_mixer`, which is not published."""
    return shutil.copytree(published_boards / "runs" / "mlp_mixer", tmp_path / "run")


@pytest.fixture
def superseded(boards):
    """The board after `static_mixer-2` took the place of `static_mixer`."""
    path = boards / LEVEL / "static_mixer.yaml"
    entry = load_entry(path)
    provenance = entry.provenance.model_copy(update={"supersedes": "static_mixer"})
    save_entry(
        entry.model_copy(update={"entry": "static_mixer-2", "provenance": provenance}).sealed(),
        path.with_stem("static_mixer-2"),
    )
    return boards
