"""Plug-ins that need more than benchbed does: libraries, a GPU."""

import subprocess
import sys

import pytest
from strangers import install

from benchbed.boards.suite import find_vacancies
from benchbed.config.request import RunRequest
from benchbed.errors import DeviceError, PluginError
from benchbed.plugins import registry
from benchbed.plugins.listing import list_installed, list_plugins
from benchbed.plugins.registry import find, plugins
from benchbed.plugins.requirements import CUDA, lacking, library_versions

TWIN = "fla:delta_net"


@pytest.fixture
def bare(monkeypatch):
    """A machine with neither the library nor a GPU."""
    monkeypatch.setattr(registry, "lacking", lambda needs: list(needs))


@pytest.fixture
def complete(monkeypatch):
    """A machine that has all that a plug-in may need."""
    monkeypatch.setattr(registry, "lacking", lambda needs: [])


def test_what_is_lacking_is_named(monkeypatch):
    monkeypatch.setattr("benchbed.plugins.requirements._cuda_devices", lambda: 0)
    assert lacking(["numpy", "no-such-distribution", CUDA]) == ["no-such-distribution", CUDA]
    monkeypatch.setattr("benchbed.plugins.requirements._cuda_devices", lambda: 1)
    assert lacking(["numpy", CUDA]) == []
    assert set(library_versions(["numpy", "no-such-distribution"])) == {"numpy"}


def test_the_driver_and_torch_count_the_same_devices():
    import torch

    assert bool(lacking([CUDA])) == (not torch.cuda.is_available())


def test_a_twin_is_listed_with_what_it_lacks(bare):
    reason = "unavailable here, needs flash-linear-attention and a CUDA device"
    rows = {row["name"]: row for row in list_plugins("mixer")}
    assert rows[TWIN]["description"] == reason
    assert rows["delta_net"]["description"].endswith("(Yang et al., 2024).")
    assert {row["status"] for row in list_installed(load=True) if row["name"] == TWIN} == {reason}
    assert {row["status"] for row in list_installed(load=False) if row["name"] == TWIN} == {reason}


def test_a_twin_is_listed_with_what_it_is(complete):
    rows = {row["name"]: row["description"] for row in list_plugins("mixer")}
    assert rows[TWIN].endswith("the twin of `delta_net` (Yang et al., 2024).")
    assert {row["status"] for row in list_installed(load=False) if row["name"] == TWIN} == {"built-in"}


def test_a_twin_that_lacks_something_says_how_to_get_it(bare):
    with pytest.raises(PluginError, match=r"'fla:delta_net' is unavailable here.*; pip install flash-linear"):
        find("mixer", TWIN).load()


def test_a_gpu_cannot_be_installed(monkeypatch):
    monkeypatch.setattr(registry, "lacking", lambda needs: [CUDA])
    with pytest.raises(PluginError, match=r"is unavailable here, needs a CUDA device$"):
        find("mixer", TWIN).load()


def test_a_twin_does_not_run_on_a_cpu(complete, monkeypatch):
    monkeypatch.setattr(registry.Plugin, "resolve", lambda *_, **__: {})
    with pytest.raises(DeviceError, match=r"'fla:delta_net': expected a CUDA device, found cpu; leave --device away"):
        RunRequest(TWIN, "linear_map", "lite").resolve("cpu")


def test_a_library_s_version_is_part_of_who_computed(monkeypatch):
    monkeypatch.setattr(registry, "library_versions", lambda needs: {need: "9" for need in needs if need != CUDA})
    assert find("mixer", TWIN).version.endswith(", flash-linear-attention 9")
    assert "," not in find("mixer", "delta_net").version


def test_a_suite_leaves_out_what_cannot_run(bare, tmp_path):
    mixers = {cell.mixer for cell in find_vacancies(tmp_path, "lite", None, ["linear_map"])}
    assert "delta_net" in mixers
    assert TWIN not in mixers


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ('needs = "cuda"', ("cuda",)),
        ('needs: tuple[str, ...] = ("cuda", "triton")', ("cuda", "triton")),
        ("needs: tuple[str, ...]", ()),
        ("needs = 3", ()),
        ('needs = ["", 3]', ()),
        ("needs = something()", ()),
        ("def", ()),
    ],
)
def test_a_stranger_may_say_what_it_likes(said, understood, tmp_path, monkeypatch):
    entry = "[benchbed.mixers]\nstrange = strange:Strange\n"
    install(tmp_path, "strange", entry, strange=f"class Strange:\n    {said}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find("mixer", "strange").needs == understood


def test_asking_what_is_needed_imports_neither_torch_nor_the_library():
    code = "import sys; from benchbed.plugins.listing import list_plugins; list_plugins('mixer'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "fla"} & set(done.stdout.split())


def test_every_twin_has_an_original():
    twins = [plugin for plugin in plugins("mixer") if plugin.needs]
    assert twins
    for twin in twins:
        assert find("mixer", twin.name.removeprefix("fla:")).needs == ()
        assert twin.needs == ("flash-linear-attention", CUDA)
