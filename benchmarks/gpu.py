"""Some minutes on a GPU, in pieces side by side that go on where the last call stopped.

    python benchmarks/gpu.py --dry-run
    python benchmarks/gpu.py --minutes 8 --out gpu

First what is measured, with the machine to itself; then, six at a time, in order of worth: does it work there, boards
of `lite`, the paper's figures at medium scale, and boards of `standard`. A call ends in time, whatever is running;
the next one, in the same folder, leaves out what is finished and goes on with the rest. Logs, results and the state
of the pieces lie in the folder, and `carry.tar.gz` holds what is worth taking home.
"""

import argparse
import json
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchbed.lab.paper.experiments import FIGURES
from benchbed.plugins.registry import plugins

_AGAIN = 75
"""Exit code of a benchbed command that ran into its time limit and goes on when it is called again."""
_LEAST = 20.0
"""Seconds below which no piece is begun."""
_PAPER = ("multi_head_attention", "mlp_mixer", "mamba", "gated_delta_net", "rwkv7", "xlstm", "linear_rnn")
"""The architectures of the paper, whose boards are filled first."""


@dataclass(frozen=True)
class Piece:
    """One command, and how long it may take."""

    name: str
    command: tuple[str, ...]
    seconds: int
    goes_on: bool = False
    """Whether it takes a `--time-limit`, and goes on where it stopped; else it begins anew."""
    alone: bool = False
    """Whether nothing may run beside it, because it is a measurement."""


def pieces(out: Path) -> list[Piece]:
    """All of them, in order of worth."""
    python = sys.executable
    pytest = (python, "-m", "pytest", "-q", "-rf", "--tb=short", "-p", "no:cacheprovider")
    speed = (python, "benchmarks/speed.py", "--device", "cuda")
    without = [plugin for plugin in plugins("mixer") if plugin.built_in and plugin.label not in _PAPER]
    others, twins = ([p.label for p in without if p.needs_cuda == needed] for needed in (False, True))

    def benchbed(name: str, folder: str, *command: str) -> Piece:
        where = ("--device", "cuda", "--out", str(out / folder))
        return Piece(name, (python, "-m", "benchbed", *command, *where), 540, goes_on=True)

    def fill(name: str, track: str, mixers: Sequence[str], *more: str) -> Piece:
        return benchbed(name, "runs", "suite", "run", "--track", track, "--mixers", ",".join(mixers), *more)

    def reproduce(figure: str) -> Piece:
        return benchbed(figure, "figures", "reproduce", figure, "--scale", "medium")

    the_map = ("--levels", "linear_map@s3")
    return [
        Piece("speed-lite", (*speed, "--shapes", "lite", "--members", "1,16,48"), 90, alone=True),
        Piece("speed-standard", (*speed, "--shapes", "standard", "--members", "1,24"), 60, alone=True),
        Piece("tests", (*pytest, "-n", "4", "--ignore", "tests/repository", "tests"), 400),
        Piece("twins", (*pytest, "-m", "slow", "tests/mixers/test_fla.py"), 400),
        *(fill(f"lite-{mixer}", "lite", [mixer]) for mixer in _PAPER),
        *(reproduce(figure) for figure, experiment in FIGURES.items() if experiment and experiment.medium),
        *(fill(f"map-{mixer}", "standard", [mixer], *the_map) for mixer in _PAPER),
        *(fill(f"lite-{mixer}", "lite", [mixer]) for mixer in others),
        fill("map-others", "standard", others, *the_map),
        fill("map-twins", "standard", twins, *the_map),
        fill("standard", "standard", _PAPER[:2]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="how long this call may take")
    parser.add_argument("--beside", type=int, default=6, help="pieces that run side by side")
    parser.add_argument("--only", help="comma-separated names of pieces")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of logs and results")
    parser.add_argument("--dry-run", action="store_true", help="show the pieces, and run none")
    given = parser.parse_args()
    every = [piece for piece in pieces(given.out) if not given.only or piece.name in given.only.split(",")]
    if given.dry_run:
        for piece in every:
            print(f"{piece.name:30}{piece.seconds:5} s  {' '.join(piece.command)}")
        return
    run(every, given.out, 60 * given.minutes, given.beside)


def run(every: list[Piece], out: Path, seconds: float, beside: int) -> None:
    """Run what is not finished until the time is up; a piece that fails does not stop the others."""
    out.mkdir(parents=True, exist_ok=True)
    ends, state, writing = time.monotonic() + seconds, out / "state.json", threading.Lock()
    told: dict[str, str] = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else {}

    def take(piece: Piece) -> None:
        left = ends - time.monotonic()
        if told.get(piece.name) in ("finished", "failed") or left < _LEAST:
            return
        became = _run(piece, out, min(piece.seconds, left))
        with writing:
            told[piece.name] = became
            print(f"{piece.name}: {became}", flush=True)
            state.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            _pack(out)

    for piece in every:
        if piece.alone:
            take(piece)
    with ThreadPoolExecutor(beside) as pool:
        list(pool.map(take, [piece for piece in every if not piece.alone]))


def _pack(out: Path) -> None:
    with tarfile.open(out / "carry.tar.gz", "w:gz") as carried:
        for pattern in ("*.log", "state.json", "runs/*/*/*/result.yaml", "runs/*/*/*/history.npz", "figures/*/*.*"):
            for path in sorted(out.glob(pattern)):
                carried.add(path, path.relative_to(out))


def _run(piece: Piece, out: Path, seconds: float) -> str:
    """What became of a piece: finished, failed, or interrupted by the time."""
    limited = (*piece.command, "--time-limit", f"{int(seconds - 10)}s") if piece.goes_on else piece.command
    with (out / f"{piece.name}.log").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(limited)}\n")
        log.flush()
        with subprocess.Popen(limited, stdout=log, stderr=log) as process:
            try:
                code = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)  # pytest says then what has failed so far
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                return "interrupted"
    return {0: "finished", _AGAIN: "interrupted"}.get(code, "failed")


if __name__ == "__main__":
    main()
