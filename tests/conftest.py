"""Fixtures: a tiny track, and planted mixers that are installed as a stranger's package would be."""

from pathlib import Path

import pytest
from strangers import BROKEN, ENTRY_POINTS, PLANTED, TINY_TRACK, install

from benchbed.config import RunConfig, plan
from benchbed.tracks import Track, load_track


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
        settings = {
            "track_is_published": False,
            "mixer_options": {},
            "task_options": {},
            "seeds": None,
            "max_steps": None,
            "device": "cpu",
            "checked": False,  # the leak checks have tests of their own
        }
        return plan(mixer, task, tiny, **(settings | changes))

    return make


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
