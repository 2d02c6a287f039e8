"""The minutes on a GPU: what it would do, and that it goes on where it stopped."""

import subprocess
import sys
import tarfile
from pathlib import Path

import gpu
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_what_it_would_do_is_shown_and_is_what_there_is(command_line):
    process = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = process.stdout.splitlines()
    assert len(lines) == len(gpu.pieces(Path("gpu")))
    names = [line.split()[0] for line in lines]
    assert len(set(names)) == len(names), "a name is a log and a state"
    for piece in gpu.pieces(Path("gpu")):
        assert piece.seconds <= 540, "nine minutes at most"
        options = [word for word in piece.command if word.startswith("--")]
        if "benchbed" in piece.command:
            start = piece.command.index("benchbed") + 1
            _, out, _ = command_line(*piece.command[start : start + 2], "--help")
            assert all(option in out for option in [*options, "--time-limit"]), piece.name


def script(tmp_path, name, body):
    path = tmp_path / f"{name}.py"
    path.write_text(body)
    return (sys.executable, str(path))


@pytest.mark.parametrize("beside", [1, 3])
def test_it_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch, beside):
    monkeypatch.setattr(gpu, "_LEAST", 0.5)
    count = f"import pathlib; p = pathlib.Path({str(tmp_path)!r}) / __file__.split('/')[-1].replace('.py', '.n')\n"
    count += "n = int(p.read_text()) + 1 if p.exists() else 1; p.write_text(str(n))\n"
    every = [
        gpu.Piece("good", script(tmp_path, "good", count + "print('hello')"), 30),
        gpu.Piece("bad", script(tmp_path, "bad", count + "raise SystemExit(1)"), 30),
        gpu.Piece("slow", script(tmp_path, "slow", count + "import time; time.sleep(0 if n > 1 else 60)"), 2),
        gpu.Piece(
            "again", script(tmp_path, "again", count + "raise SystemExit(75 if n == 1 else 0)"), 30, goes_on=True
        ),
    ]
    out = tmp_path / "gpu"
    gpu.run(every, out, 60, beside)
    told = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert told == {"good": "finished", "bad": "failed", "slow": "interrupted", "again": "interrupted"}
    gpu.run(every, out, 60, beside)
    assert sorted(capsys.readouterr().out.splitlines()) == ["again: finished", "slow: finished"]
    times = {name: int((tmp_path / f"{name}.n").read_text()) for name in ("good", "bad", "slow", "again")}
    assert times == {"good": 1, "bad": 1, "slow": 2, "again": 2}
    assert "--time-limit 20s" in (out / "again.log").read_text()
    with tarfile.open(out / "carry.tar.gz") as carried:
        assert {"good.log", "state.json"} <= set(carried.getnames())


def test_what_is_measured_has_the_machine_to_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "_LEAST", 0.5)
    stamp = "import pathlib, time; p = pathlib.Path(__file__).with_suffix('.t')\n"
    stamp += "begun = time.time(); time.sleep(0.5); p.write_text(f'{begun} {time.time()}')\n"
    names = ["first", "second", "measured"]
    every = [gpu.Piece(name, script(tmp_path, name, stamp), 30, alone=name == "measured") for name in names]
    gpu.run(every, tmp_path / "gpu", 60, 3)
    times = {name: tuple(map(float, (tmp_path / f"{name}.t").read_text().split())) for name in names}
    assert times["measured"][1] <= min(times["first"][0], times["second"][0])
    assert max(times["first"][0], times["second"][0]) < min(times["first"][1], times["second"][1]), (
        "beside each other"
    )


def test_no_piece_is_begun_when_the_time_is_up(tmp_path, capsys):
    gpu.run([gpu.Piece("late", (sys.executable, "-c", "0"), 30)], tmp_path / "gpu", 1, 2)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "gpu" / "state.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tests", "twins"])
def test_a_piece_that_tests_has_tests(name):
    """A marker that is missing would leave none, and pytest says so by an exit code alone."""
    (piece,) = (piece for piece in gpu.pieces(Path("gpu")) if piece.name == name)
    found = subprocess.run([*piece.command, "--collect-only"], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-2000:]
    assert ("test_fla" if name == "twins" else "test_cuda") in found.stdout
