"""Every command that trains several runs can have them trained on Ray, and gives what it gives here."""

import os
import subprocess
import sys

import pytest
import torch

from benchbed.results.result import load_result
from benchbed.runs.ray import _train, carry_out
from benchbed.training.engine import EngineSettings

SCRIPT = """
import sys
from benchbed.cli.app import main

backend, track = sys.argv[1:]
small = ["--track", track, "--max-steps", "20", "--device", "cpu", "--backend", backend]
for arguments in (
    ["run", "-m", "mlp_mixer", "-m", "static_mixer", "-t", "linear_map", "--retrain", *small],
    ["trace", "-m", "multi_head_attention", "-t", "linear_map", *small],
):
    sys.argv = ["benchbed", *arguments]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
"""


def rows(result):
    return [row.model_dump(exclude={"seconds"}) for row in (*result.tuning, *result.members)]


def test_a_worker_hands_back_the_files_of_its_run_and_not_its_lock(configure, tmp_path):
    config = configure(max_steps=20)
    settings = EngineSettings("loop", torch.device("cpu"), cores=1)
    answer = _train(carry_out, config.model_dump_json(), str(tmp_path / "run"), settings, retrain=False)
    assert isinstance(answer, dict)
    assert set(answer) == {"result.yaml", "history.npz"}
    assert {path.name for path in (tmp_path / "run").iterdir()} == {*answer, ".lock"}


@pytest.mark.slow
def test_runs_and_traces_on_ray_are_those_of_this_process(tiny_path, tmp_path):
    pytest.importorskip("ray")
    environment = os.environ | {"RAY_OVERRIDE_RESOURCES": '{"CPU": 2}'}
    told = {}
    for backend in ("local", "ray"):
        (tmp_path / backend).mkdir()
        command = [sys.executable, "-c", SCRIPT, backend, str(tiny_path)]
        process = subprocess.run(command, cwd=tmp_path / backend, env=environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-2000:]
        told[backend] = process.stdout
    here, there = tmp_path / "local", tmp_path / "ray"
    files = sorted(path.relative_to(here) for path in here.rglob("*") if path.is_file())
    assert sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file()) == files
    results = [path for path in files if path.name == "result.yaml"]
    assert len(results) == 3
    for path in results:
        mine, theirs = (load_result(side / path) for side in (here, there))
        assert rows(mine) == rows(theirs)
    assert "2 of 2: " in told["ray"]
    assert "is trained" in told["ray"]
