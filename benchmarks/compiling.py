"""A member's forward and backward pass on one core, eager and compiled, beside what the rule of `--compile` counts.

    taskset -c 0 python benchmarks/compiling.py [--level linear_map@s3] [mamba mlp_mixer ...]

Medians of 20 passes each; eager is measured before and after, and the faster one counts. "compiling" is the first
compiled pass: on a cold cache of torch it is several times what it is on a warm one.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from benchbed.config.request import RunRequest
from benchbed.plugins.registry import plugins
from benchbed.training.devices import single_threaded
from benchbed.training.engine import compiled_losses, operations_a_layer, worth_compiling
from benchbed.training.fork_server import keep_memory
from benchbed.training.group import Group
from benchbed.training.recipe import make_recipe
from benchbed.training.trajectory import Member

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mixers", nargs="*", help="by default every built-in one")
    parser.add_argument("--level", default="linear_map@s3", help="of track lite")
    given = parser.parse_args()
    print(f"{'':26}{'operations a layer':>20}{'eager ms':>10}{'compiled ms':>13}{'gain':>7}{'compiling s':>13}  rule")
    keep_memory()
    with single_threaded():
        for name in given.mixers or [p.name for p in plugins("mixer") if p.built_in and not p.needs]:
            measure(name, given.level)


def measure(mixer: str, level: str) -> None:
    """Print the line of one mixer."""
    recipe, task = make_recipe(RunRequest(mixer, level, "lite").resolve("cpu"))
    member = [Member(0, 1e-4)]
    data = [batches[:1] for batches in recipe.training_data(0, task, 0)]
    eager = Group(recipe, member, CPU, vectorise=False)
    before = milliseconds(lambda: eager.gradients(*data))
    losses = compiled_losses(recipe, CPU, vectorise=False)
    compiled = Group(recipe, member, CPU, vectorise=False, losses=losses)
    started = time.perf_counter()
    compiled.gradients(*data)
    compiling = time.perf_counter() - started
    after = milliseconds(lambda: compiled.gradients(*data))
    plain = min(before, milliseconds(lambda: eager.gradients(*data)))
    rule = "compiled" if worth_compiling(recipe, CPU) else ""
    operations = operations_a_layer(recipe, CPU)
    print(
        f"{mixer:26}{operations:20,}{plain:10.1f}{after:13.1f}{plain / after:7.2f}{compiling:13.1f}  {rule}",
        flush=True,
    )


def milliseconds(step: Callable[[], object]) -> float:
    """The median of 20 passes, after one that warms up."""
    step()
    times = []
    for _ in range(20):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1e3 * median(times)


if __name__ == "__main__":
    main()
