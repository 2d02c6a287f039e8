"""Sweeps: the grid, cells that cannot be or that fail, going on after a kill, tables and pictures."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import yaml
from rich.console import Console

from benchbed.config.request import RunRequest
from benchbed.errors import OptionError
from benchbed.lab.sweep.cells import Sweep, batches, plan_cells, train
from benchbed.lab.sweep.grid import Axis, combine, parse_axes
from benchbed.lab.sweep.job import run_sweep
from benchbed.results.result import load_result
from benchbed.training.engine import EngineSettings

REQUEST = EngineSettings("auto", torch.device("cpu"))


def test_an_axis_is_values_a_range_or_options_that_change_together():
    assert parse_axes(["task.sparsity=1..3"]) == [Axis(("task.sparsity",), [("1",), ("2",), ("3",)])]
    assert parse_axes(["task.a=8,16", "mixer.b=x"]) == [
        Axis(("task.a",), [("8",), ("16",)]),
        Axis(("mixer.b",), [("x",)]),
    ]
    tied = parse_axes(["mixer.heads,backbone.dim=1:8,2:16"])
    assert combine([*tied, *parse_axes(["task.sparsity=1,2"])]) == [
        {"mixer.heads": "1", "backbone.dim": "8", "task.sparsity": "1"},
        {"mixer.heads": "1", "backbone.dim": "8", "task.sparsity": "2"},
        {"mixer.heads": "2", "backbone.dim": "16", "task.sparsity": "1"},
        {"mixer.heads": "2", "backbone.dim": "16", "task.sparsity": "2"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sparsity=1", "expected OWNER.OPTION=VALUES with an owner of task, mixer, backbone"),
        ("tasks.sparsity=1", "did you mean 'task'"),
        ("task.sparsity", "expected OWNER.OPTION=VALUES"),
        ("task.sparsity=", "expected 1 values joined by ':'"),
        ("task.sparsity=3..1", "from low to high"),
        ("task.sparsity=1,1", "expected different values"),
        ("task.sparsity,mixer.heads=1,2", "expected 2 values joined by ':' for each point"),
    ],
)
def test_a_malformed_axis_is_told(text, message):
    with pytest.raises(OptionError, match=message):
        parse_axes([text])


def test_an_option_stands_on_one_axis():
    with pytest.raises(OptionError, match=r"'task\.sparsity' was given twice"):
        parse_axes(["task.sparsity=1", "task.sparsity=2"])


@pytest.fixture
def sweep(tiny_path):
    """A sweep on the tiny track."""

    def make(*grid, mixers=("multi_head_attention",), **changes):
        settings: dict = {"seeds": 2, "max_steps": 40, "learning_rate": 0.01, "checked": False}
        return Sweep(mixers, grid, RunRequest(mixers[0], "linear_map", str(tiny_path), **(settings | changes)))

    return make


def quiet():
    return Console(quiet=True)


def table(out):
    with (out / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_sweep_has_a_row_a_seed_and_says_which_cells_cannot_be(sweep, tmp_path):
    cells = run_sweep(sweep("task.state_size=3,4", "task.sparsity=1..4"), tmp_path, "cpu", "local", quiet())
    assert [cell.status for cell in cells].count("impossible") == 3
    rows = table(tmp_path)
    assert len(rows) == 5 * 2 + 3
    finished = [row for row in rows if row["cell"] == "finished"]
    assert {(row["task.state_size"], row["task.sparsity"], row["seed"]) for row in finished} == {
        (size, ones, seed) for size in "34" for ones in "123" if int(ones) < int(size) for seed in "01"
    }
    impossible = next(row for row in rows if (row["task.state_size"], row["task.sparsity"]) == ("3", "4"))
    assert "expected sparsity <= state_size" in impossible["problem"]
    document = yaml.safe_load((tmp_path / "sweep.yaml").read_text())
    assert document["sweep"]["grid"] == ["task.state_size=3,4", "task.sparsity=1..4"]
    for plain, cell in zip(document["cells"], cells, strict=True):
        assert plain["status"] == cell.status
        if cell.result:
            assert load_result(tmp_path / plain["run"]) == cell.result
            assert plain["solved"] == cell.result.summary.solved
    for name in ("heatmap.png", "density.png", "plateau.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_cells_of_one_shape_train_as_one_and_as_they_would_alone(sweep, tmp_path):
    asked = sweep("task.state_size=3,4", "task.sparsity=1,2")
    cells = plan_cells(asked, "cpu", tmp_path)
    assert [len(batch) for batch in batches(cells)] == [2, 2]
    for batch in batches(cells):
        train(batch, REQUEST, lambda _: None)
    assert batches(cells) == []
    again = plan_cells(asked, "cpu", tmp_path / "alone")
    for cell in again:
        train([cell], REQUEST, lambda _: None)

    def numbers(cell):
        return [row.model_dump(exclude={"seconds"}) for row in cell.result.members]

    assert [numbers(cell) for cell in cells] == [numbers(cell) for cell in again]


@pytest.mark.parametrize("command", ["run", "sweep", "trace"])
def test_whatever_trains_a_config_is_compiled_by_one_rule(command_line, tiny_path, tmp_path, monkeypatch, command):
    """A cell of a sweep was never compiled and the same run alone was, where the rule compiles: another rounding."""
    monkeypatch.chdir(tmp_path)
    asked = []
    for place in ("training.engine", "reporting.live"):
        monkeypatch.setattr(f"benchbed.{place}.worth_compiling", lambda *_: asked.append(command))
    grid = ["--grid", "task.sparsity=1"] if command == "sweep" else []
    what = ["--mixer", "mlp_mixer", "--task", "linear_map", "--track", tiny_path, *grid]
    few = ["--learning-rate", 0.01, "--max-steps", 20, "--seeds", 1, "--device", "cpu"]
    code, _, err = command_line(command, *what, *few)
    assert code == 0, err
    assert asked


@pytest.mark.parametrize(("flag", "tried"), [("--compile", True), ("--no-compile", False)])
def test_who_says_whether_to_compile_is_heard(command_line, tiny_path, tmp_path, monkeypatch, flag, tried):
    monkeypatch.setattr("benchbed.training.engine.why_not_compiled", lambda *_, **__: "it was asked to")
    monkeypatch.setattr("benchbed.training.engine.worth_compiling", lambda *_: not tried)
    what = ["--mixer", "mlp_mixer", "--task", "linear_map", "--track", tiny_path, "--grid", "task.sparsity=1"]
    few = ["--learning-rate", 0.01, "--max-steps", 20, "--seeds", 1, "--device", "cpu", "--out", tmp_path]
    code, _, err = command_line("sweep", *what, *few, flag)
    assert code == 0, err
    (result,) = (load_result(path) for path in tmp_path.glob("runs/**/result.yaml"))
    assert ("it was asked to" in (result.environment.engine_note or "")) == tried


def test_a_cell_that_fails_costs_no_other(sweep, planted, tmp_path, monkeypatch):
    asked = sweep("task.sparsity=1..3", mixers=("planted:wrong_shape", "mlp_mixer"))
    import benchbed.lab.sweep.cells as module

    real = module.execute_together

    def sometimes(runs, *rest):
        if any(run.config.task.options["sparsity"] == 2 for run in runs):
            raise ZeroDivisionError("a bug in the task")
        return real(runs, *rest)

    monkeypatch.setattr(module, "execute_together", sometimes)
    cells = run_sweep(asked, tmp_path, "cpu", "local", quiet())
    assert [cell.status for cell in cells] == ["impossible"] * 3 + ["finished", "failed", "finished"]
    assert "mixer WrongShape: expected an output of shape" in str(cells[0].problem)
    assert cells[4].problem == "ZeroDivisionError: a bug in the task"
    monkeypatch.setattr(module, "execute_together", real)
    again = run_sweep(asked, tmp_path, "cpu", "local", quiet())
    assert [cell.status for cell in again[3:]] == ["finished"] * 3


def test_a_misspelled_option_is_an_error_and_no_table_of_impossible_cells(sweep, tmp_path):
    with pytest.raises(OptionError, match="unknown option 'spasity'; did you mean 'sparsity'"):
        run_sweep(sweep("task.spasity=1,2"), tmp_path, "cpu", "local", quiet())
    assert not (tmp_path / "sweep.csv").exists()


def test_a_cell_keeps_all_that_the_sweep_was_asked_for(sweep, tmp_path):
    """Sizes of the backbone were once dropped without a word where no axis named them."""
    asked = sweep("task.sparsity=1", "backbone.mlp_dim=8,16")
    asked = replace(asked, request=replace(asked.request, backbone={"dim": 24, "mlp_dim": 99}, score_bias=2.0))
    cells = plan_cells(asked, "cpu", tmp_path)
    assert [cell.run.config.backbone.dim for cell in cells] == [24, 24]
    assert [cell.run.config.backbone.mlp_dim for cell in cells] == [8, 16], "an axis comes before what is fixed"
    assert [cell.run.config.score_bias for cell in cells] == [2.0, 2.0]
    assert asked.name != replace(asked, request=replace(asked.request, backbone={"dim": 25})).name


def test_every_sweep_has_a_folder_of_its_own(sweep):
    first = sweep("task.sparsity=1,2")
    assert first.name == sweep("task.sparsity=1,2").name
    assert len({first.name, sweep("task.sparsity=1,3").name, sweep("task.sparsity=1,2", seeds=3).name}) == 3


def test_one_axis_is_drawn_as_curves_and_sizes_of_the_backbone_can_be_swept(sweep, tmp_path):
    cells = run_sweep(
        sweep("mixer.heads,backbone.dim,backbone.mlp_dim=1:8:16,2:16:32"), tmp_path, "cpu", "local", quiet()
    )
    assert [cell.values["backbone.dim"] for cell in cells] == [8, 16]
    small, large = (cell.result for cell in cells)
    assert small is not None
    assert large is not None
    assert small.costs.parameters < large.costs.parameters
    assert (tmp_path / "curves.png").exists()
    assert "backbone changed: dim=8, mlp_dim=16" in small.unranked


def command(out, tiny_path, *more):
    return [
        *("-m", "benchbed", "sweep", "-m", "mlp_mixer", "-t", "linear_map", "--track", tiny_path, "--no-check"),
        *("-g", "task.sparsity=1..3", "-g", "task.state_size=4,5,6", "--seeds", "2", "--learning-rate", "0.01"),
        *("--out", out, *more),
    ]


def rows_without_time(out):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in table(out)]


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_in_the_same_table(tiny_path, tmp_path, command_line):
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, *map(str, command(killed, tiny_path))], stdout=subprocess.DEVNULL, start_new_session=True
    )
    limit = time.monotonic() + 120
    while not list(killed.rglob("result.yaml")) and time.monotonic() < limit:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.read_bytes() for path in killed.rglob("result.yaml")}
    assert 0 < len(finished) < 9
    assert command_line(*command(killed, tiny_path)[2:])[0] == 0
    assert command_line(*command(tmp_path / "whole", tiny_path)[2:])[0] == 0
    assert rows_without_time(killed) == rows_without_time(tmp_path / "whole")
    assert all(path.read_bytes() == content for path, content in finished.items())


@pytest.mark.slow
def test_ray_with_two_workers_of_which_one_is_killed_gives_the_same_table(tiny_path, tmp_path, command_line):
    pytest.importorskip("ray")
    spread = tmp_path / "spread"
    process = subprocess.Popen(
        [sys.executable, *map(str, command(spread, tiny_path, "--backend", "ray"))],
        start_new_session=True,
        env=os.environ | {"RAY_OVERRIDE_RESOURCES": '{"CPU": 2}'},
        stdout=subprocess.DEVNULL,
    )
    limit, killed = time.monotonic() + 240, None
    while killed is None and process.poll() is None and time.monotonic() < limit:
        killed = kill_a_worker_at_work()
        time.sleep(0.02)
    assert killed is not None
    assert process.wait(300) == 0
    assert command_line(*command(tmp_path / "here", tiny_path)[2:])[0] == 0
    assert rows_without_time(spread) == rows_without_time(tmp_path / "here")
    assert not list(spread.rglob("checkpoint.pt"))


def kill_a_worker_at_work():
    """Kill one Ray worker that trains a cell; its process is named after the function."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        if "ray::_train" in line:
            number = int(line.split()[0])
            os.kill(number, signal.SIGKILL)
            return number
    return None


def test_without_ray_the_backend_says_how_to_get_it(sweep, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError, match=r'pip install "benchbed\[ray\]"'):
        run_sweep(sweep("task.sparsity=1,2"), tmp_path, "cpu", "ray", quiet())


def test_a_sweep_keeps_its_folder_whoever_asks_for_it():
    """As an earlier version named it: options as text, as a command line gives them, or as values."""
    for options in ({"bias": "true"}, {"bias": True}):
        request = RunRequest(
            "mlp_mixer", "linear_map@s3", "lite", seeds=2, mixer_options=options, learning_rate=0.01,
            task_options={"state_size": 4},
        )  # fmt: skip
        assert Sweep(("mlp_mixer", "gru"), ("task.sparsity=1..3",), request).name == "linear_map@s3-4ac1c51664"
