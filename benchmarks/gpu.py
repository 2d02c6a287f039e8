"""A half hour on a GPU, in pieces that go on where the last call stopped.

    python benchmarks/gpu.py --dry-run
    python benchmarks/gpu.py --minutes 9 --out gpu

What is worth most comes first: does it work there, how fast is it, and boards of the track `standard`. A call ends in
time, whatever is running; the next one, in the same folder, leaves out what is finished and goes on with the rest.
Logs, results and the state of the pieces lie in the folder, and `carry.tar.gz` holds what is worth taking home.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchbed.plugins.registry import plugins

_AGAIN = 75
"""Exit code of a benchbed command that ran into its time limit and goes on when it is called again."""
_LEAST = 20.0
"""Seconds below which no piece is begun."""


@dataclass(frozen=True)
class Piece:
    """One command, and how long it may take."""

    name: str
    command: tuple[str, ...]
    seconds: int
    goes_on: bool = False
    """Whether it takes a `--time-limit`, and goes on where it stopped; else it begins anew."""


def pieces(out: Path) -> list[Piece]:
    """All of them, in order of worth."""
    python = sys.executable
    pytest, benchbed = (python, "-m", "pytest", "-q"), (python, "-m", "benchbed")
    twins = [plugin.label for plugin in plugins("mixer") if plugin.built_in and plugin.needs_cuda]
    first = ["multi_head_attention", "mlp_mixer"]
    rest = [p.label for p in plugins("mixer") if p.built_in and not p.needs_cuda and p.label not in first]
    fill = (*benchbed, "suite", "run", "--track", "standard", "--device", "cuda", "--out", str(out / "runs"))
    speed = (python, "benchmarks/speed.py", "--device", "cuda")
    return [
        Piece("tests", (*pytest, "-m", "gpu", "tests"), 180),
        Piece("speed-lite", (*speed, "--shapes", "lite"), 120),
        Piece("speed-standard", (*speed, "--shapes", "standard"), 240),
        Piece("map", (*fill, "--levels", "linear_map@s3", "--mixers", ",".join(first)), 540, goes_on=True),
        Piece("twins", (*pytest, "-m", "slow", "tests/mixers/test_fla.py"), 180),
        Piece("map-all", (*fill, "--levels", "linear_map@s3", "--mixers", ",".join(rest)), 540, goes_on=True),
        Piece("map-twins", (*fill, "--levels", "linear_map@s3", "--mixers", ",".join(twins)), 540, goes_on=True),
        Piece("levels", (*fill, "--mixers", ",".join(first)), 540, goes_on=True),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=9.0, help="how long this call may take")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="folder of logs and results")
    parser.add_argument("--dry-run", action="store_true", help="show the pieces, and run none")
    given = parser.parse_args()
    every = pieces(given.out)
    if given.dry_run:
        for piece in every:
            print(f"{piece.name:16}{piece.seconds:5} s  {' '.join(piece.command)}")
        return
    run(every, given.out, 60 * given.minutes)


def run(every: list[Piece], out: Path, seconds: float) -> None:
    """Run what is not finished until the time is up; a piece that fails does not stop the others."""
    out.mkdir(parents=True, exist_ok=True)
    ends, state = time.monotonic() + seconds, out / "state.json"
    told: dict[str, str] = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else {}
    for piece in every:
        left = ends - time.monotonic()
        if told.get(piece.name) in ("finished", "failed"):
            continue
        if left < _LEAST:
            break
        told[piece.name] = _run(piece, out, min(piece.seconds, left))
        print(f"{piece.name}: {told[piece.name]}", flush=True)
        state.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    with tarfile.open(out / "carry.tar.gz", "w:gz") as carried:
        for pattern in ("*.log", "state.json", "runs/*/*/*/result.yaml", "runs/*/*/*/history.npz"):
            for path in sorted(out.glob(pattern)):
                carried.add(path, path.relative_to(out))


def _run(piece: Piece, out: Path, seconds: float) -> str:
    """What became of a piece: finished, failed, or interrupted by the time."""
    limited = (*piece.command, "--time-limit", f"{int(seconds - 10)}s") if piece.goes_on else piece.command
    with (out / f"{piece.name}.log").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(limited)}\n")
        log.flush()
        try:
            code = subprocess.run(limited, stdout=log, stderr=log, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            return "interrupted"
    return {0: "finished", _AGAIN: "interrupted"}.get(code, "failed")


if __name__ == "__main__":
    main()
