"""Float32 means float32: whatever a plug-in or a notebook has set, and TF32 where it is asked for by name."""

import os
import shutil
import sys
from typing import Any

import pytest
import torch
from planned import planned
from strangers import install

from benchbed.boards.entries.entry import load_entry
from benchbed.boards.entries.submission import command_of, submit
from benchbed.boards.reading import read_standings
from benchbed.checks.mixer import LEAK_CHECKS, conformance
from benchbed.checks.subject import Subject
from benchbed.config.request import RunRequest
from benchbed.errors import DeviceError
from benchbed.lab.trace.members import trace
from benchbed.lab.trace.patching import patch
from benchbed.lab.trace.snapshots import snapshot_files
from benchbed.results.result import load_result, save_result
from benchbed.runs.costs import seconds_a_step
from benchbed.training.confirmation.hidden import confirm
from benchbed.training.devices import float32_products
from benchbed.training.engine import EngineSettings, choose_engine
from benchbed.training.ensemble import Ensemble
from benchbed.training.group import Group
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member
from benchbed.training.workers.processes import ProcessCrew
from benchbed.training.workers.threads import ThreadCrew

CPU = torch.device("cpu")

LOOSE = """
import torch
from torch import nn

torch.set_float32_matmul_precision("medium")
torch.backends.mkldnn.conv.fp32_precision = "bf16"

def found():
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn,
             torch.backends.mkldnn.matmul, torch.backends.mkldnn.conv, torch.backends.mkldnn.rnn)
    return torch.get_float32_matmul_precision(), {kind.fp32_precision for kind in kinds}

always = False  # or only where batches are as large as in training

class Loose(nn.Module):
    def __init__(self, dim: int, length: int):
        super().__init__()
        self.project = nn.Linear(dim, dim)

    def mixing_weights(self, x):
        return torch.eye(x.shape[1]).expand(len(x), 1, -1, -1)

    def mix(self, x, weights):
        if always or len(x) > 8:
            assert found() == ("highest", {"ieee"}), found()
        return weights[:, 0] @ self.project(x)

    def forward(self, x):
        return self.mix(x, self.mixing_weights(x))
"""


@pytest.fixture
def loose(tmp_path, monkeypatch, configure):
    """A mixer whose import makes all products less exact, and whose forward finds out; its recipe."""
    install(tmp_path, "loose", "[benchbed.mixers]\nloose = loose_mixer:Loose\n", loose_mixer=LOOSE)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = now()
    with float32_products(tf32=False):
        recipe, _ = make_recipe(configure("loose", max_steps=20))
        torch.set_float32_matmul_precision("medium")  # where it had been imported before
        yield recipe
    assert now() == before
    sys.modules.pop("loose_mixer", None)


def now():
    backends: Any = torch.backends
    kinds = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul)
    general, triton = torch.get_float32_matmul_precision(), os.environ.get("TRITON_F32_DEFAULT")
    return general, [kind.fp32_precision for kind in kinds], triton


@pytest.mark.parametrize("crew", [ThreadCrew, ProcessCrew])
def test_what_an_import_has_set_does_not_reach_training(loose, crew):
    settings = EngineSettings("loop", CPU, cores=2)
    with crew(loose, settings) as hired:
        trained = Ensemble(loose, [Member(0, 1e-3), Member(1, 1e-3)], settings, crew=hired).train(lambda _: None)
    assert [t.step for t in trained] == [20, 20]
    assert torch.get_float32_matmul_precision() == "medium", "and is left as it was"


def test_nor_the_choice_of_an_engine_nor_the_question_that_is_asked_again(loose):
    settings, note = choose_engine(loose, EngineSettings("vmap", CPU, compiled=False))
    assert (settings.engine, note) == ("vmap", None)
    task = loose.make_task(0)
    group = Group(loose, [Member(0, 1e-3)], CPU, vectorise=False)
    held_out = loose.held_out_data(0, task)
    right = torch.ones_like(held_out.targets, dtype=torch.bool)
    assert not confirm(loose, 0, task, held_out, right, group.weights[0], group._shared).solved


def test_nor_checks_nor_times_nor_maps_nor_patches(loose, configure, tmp_path):
    run = planned(configure("loose", max_steps=20), tmp_path / "run")
    _, traced = trace(run, EngineSettings("loop", CPU), lambda _: None)
    assert traced[0].frames[20].mixing is not None
    files = snapshot_files(run.folder, 0, 20)
    assert patch(files[10], files[20]).late_step == 20
    assert seconds_a_step([loose], CPU)[0] > 0
    sys.modules["loose_mixer"].__dict__["always"] = True
    subject = Subject(sys.modules["loose_mixer"].Loose, {}, 16, 8)
    assert [f for f in conformance(subject, LEAK_CHECKS) if f.status == "failed"] == []
    assert torch.get_float32_matmul_precision() == "medium"


@pytest.mark.parametrize("tf32", [False, True])
def test_the_older_setting_says_the_same(tf32):
    """Who reads it, as libraries do, would be refused if the two contradicted each other."""
    before = now()
    with float32_products(tf32=tf32):
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == tf32
        assert torch.get_float32_matmul_precision() == ("high" if tf32 else "highest")
        assert now()[1] == [*["tf32" if tf32 else "ieee"] * 3, "ieee"]
        assert os.environ["TRITON_F32_DEFAULT"] == ("tf32" if tf32 else "ieee")
    assert now() == before


def test_tf32_is_another_run_and_needs_a_gpu():
    plain, other = (
        RunRequest("mlp_mixer", "linear_map", "lite", tf32=tf32).resolve("cuda") for tf32 in (False, True)
    )
    assert "tf32" not in plain.model_dump()
    assert other.model_dump()["tf32"] is True
    assert plain.identity != other.identity
    assert other.unranked == []
    assert make_recipe(other)[0].tf32
    with pytest.raises(DeviceError, match="--tf32: expected a CUDA device, found cpu"):
        RunRequest("mlp_mixer", "linear_map", "lite", tf32=True).resolve("cpu")


def test_an_entry_says_that_it_was_trained_in_tf32(boards, published_boards, tmp_path):
    """By its name, its command and its config, whether or not the same mixer stands there in full precision."""
    folder = boards / "tiny" / "linear_map@s1"
    result = load_result(published_boards / "runs" / "mlp_mixer")
    config = result.config.model_copy(update={"tf32": True, "device": "cuda"})
    run = shutil.copytree(published_boards / "runs" / "mlp_mixer", tmp_path / "run")
    save_result(result.model_copy(update={"config": config, "identity": config.identity}), run)
    assert command_of(load_result(run)).endswith("--device cuda --no-compile --tf32")
    path = submit(run, boards, submitter="Somebody")
    assert path.stem == "mlp_mixer-tf32"
    assert load_entry(path).result.config.tf32
    names = {row["name"] for row in read_standings(folder)["rows"]}
    assert "mlp_mixer-tf32" in names
    assert "mlp_mixer" not in names
