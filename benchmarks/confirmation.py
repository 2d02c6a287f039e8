"""What it costs to confirm solves with the future hidden: whole runs with and without, in turns.

    python benchmarks/confirmation.py --mixer mlp_mixer --task linear_map@s3 --repeats 2

Prints wall time, the processor time of the process that trains, and that of the other one, which imports torch while
the first does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time


def run(confirmed: bool, mixer: str, task: str) -> dict[str, float]:
    """One run of the command line in this process, times in seconds; without confirmation every solve is believed."""
    started = time.perf_counter()
    from benchbed.cli.app import main
    from benchbed.training import fork_server, group, workers
    from benchbed.training.confirmation.hidden import Confirmation

    workers.forks = lambda: False  # members train in threads of this process, so that what is changed here counts
    if not confirmed:
        fork_server.start_server = lambda: None
        group.confirm = lambda *_: Confirmation(solved=True, leaks=False)
    with tempfile.TemporaryDirectory() as out:
        sys.argv = ["benchbed", "run", "-m", mixer, "-t", task, "--track", "lite", "--device", "cpu", "--out", out]
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
    wall = time.perf_counter() - started
    fork_server.stop_server()
    mine, other = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "wall": round(wall, 1),
        "processor": round(mine.ru_utime + mine.ru_stime, 1),
        "other process": round(other.ru_utime + other.ru_stime, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixer", default="mlp_mixer")
    parser.add_argument("--task", default="linear_map@s3")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--once", choices=("confirmed", "believed"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        print(json.dumps(run(given.once == "confirmed", given.mixer, given.task)), file=answers, flush=True)
        return
    for _ in range(given.repeats):
        for how in ("believed", "confirmed"):
            command = [sys.executable, __file__, "--once", how, "--mixer", given.mixer, "--task", given.task]
            answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            print(f"{how:>9}", json.loads(answer.stdout), flush=True)


if __name__ == "__main__":
    main()
