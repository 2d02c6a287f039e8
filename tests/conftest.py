"""Fixtures: a tiny track, and planted mixers that are installed as a stranger's package would be."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
import triton_interpreter  # noqa: F401
from filelock import FileLock
from planned import git, planned
from strangers import BROKEN, ENTRY_POINTS, PLANTED, TINY_TRACK, install

from benchbed.cli.app import main
from benchbed.config.request import RunRequest
from benchbed.config.run_config import RunConfig
from benchbed.config.tracks import Track, load_track
from benchbed.results.result import save_result

if "PYTEST_XDIST_WORKER" in os.environ:
    # `pytest -n`: every worker has a core, and so have the processes that it starts.
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


@pytest.fixture
def tiny_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY_TRACK)
    return path


@pytest.fixture
def tiny(tiny_path: Path) -> Track:
    return load_track(str(tiny_path))


@pytest.fixture
def configure(tiny: Track):
    """Plan a run on the tiny track."""

    def make(mixer: str = "multi_head_attention", task: str = "linear_map", **changes) -> RunConfig:
        settings = {"checked": False, "device": "cpu"} | changes  # the leak checks have tests of their own
        device = settings.pop("device")
        return RunRequest(mixer, task, tiny, **settings).resolve(device)

    return make


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Call benchbed in this process: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["benchbed", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def planted_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    install(site, "planted", ENTRY_POINTS, planted=PLANTED, **BROKEN)
    return site


@pytest.fixture
def planted(planted_site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the planted mixers for one test."""
    monkeypatch.syspath_prepend(str(planted_site))
    return planted_site


@pytest.fixture(scope="session")
def published_boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two published entries of real runs on a tiny track, and the folder of the runs beside it.

    The first worker that asks for it trains; the others wait, and share it.
    """
    home = tmp_path_factory.getbasetemp()
    root = (home.parent if "PYTEST_XDIST_WORKER" in os.environ else home) / "published"
    with FileLock(f"{root}.lock"):
        if not (root / "repository" / ".git").is_dir():
            _publish(root)
    return root


def _publish(root: Path) -> None:
    from benchbed.boards.entries.submission import submit
    from benchbed.runs.execute import execute
    from benchbed.training.engine import EngineSettings

    boards = root / "repository" / "leaderboards"
    (boards / "tiny").mkdir(parents=True)
    text = TINY_TRACK.replace("scoring: 3", "scoring: 8").replace("lite", "tiny")
    track_file = boards / "tiny" / "track.yaml"
    track_file.write_text(text.replace("description: For tests", "description: For tests\nbaseline: static_mixer"))
    track = load_track(str(track_file))
    for mixer in ("static_mixer", "softmax_attention", "mlp_mixer"):
        # The track is a file here and will be a published one, of which there is no reason to be unranked.
        config = RunRequest(mixer, "linear_map", track).resolve("cpu").model_copy(update={"unranked": []})
        folder = root / "runs" / mixer
        result = execute(planned(config, folder), EngineSettings("loop", torch.device("cpu")), lambda _: None).result
        # These tests may run in a checkout that is being worked on; what they test does not depend on that.
        clean = result.model_copy(update={"environment": result.environment.model_copy(update={"git_dirty": False})})
        save_result(clean, folder)
        if mixer != "mlp_mixer":
            submit(folder, boards, submitter="Somebody")
    git(boards.parent, "init", "-q", "-b", "main")
    git(boards.parent, "add", ".")
    git(boards.parent, "commit", "-q", "-m", "Published")


@pytest.fixture
def boards(published_boards: Path, tmp_path: Path) -> Path:
    """A copy of that repository's boards, for one test."""
    shutil.copytree(published_boards / "repository", tmp_path / "repository")
    return tmp_path / "repository" / "leaderboards"
