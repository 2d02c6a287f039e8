"""Every command that trains several runs can have them trained on Ray, and gives what it gives here."""

import os
import subprocess
import sys

import pytest

from benchbed.results.result import load_result

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
    files = sorted(p.relative_to(here) for p in here.rglob("*") if p.is_file() and p.suffix != ".lock")
    assert sorted(p.relative_to(there) for p in there.rglob("*") if p.is_file() and p.suffix != ".lock") == files
    results = [path for path in files if path.name == "result.yaml"]
    assert len(results) == 3
    for path in results:
        mine, theirs = (load_result(side / path) for side in (here, there))
        assert rows(mine) == rows(theirs)
    assert "2 of 2: " in told["ray"]
    assert "is trained" in told["ray"]
