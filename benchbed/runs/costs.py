"""What a member costs, measured and not declared."""

import math
import time
import warnings
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchbed.contracts import Task
from benchbed.results.result import Costs
from benchbed.training.devices import float32_products, single_threaded
from benchbed.training.fork_server import keep_memory
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.seeding import generator
from benchbed.training.trajectory import Member

__all__ = ["measure_costs", "seconds_a_step"]


def _triangular_flops(matrix: torch.Size, right: torch.Size, *_: object, **__: object) -> int:
    """A multiplication and an addition for each entry of the triangle and column on the right."""
    return math.prod(matrix[:-2]) * matrix[-1] ** 2 * right[-1]


_REPEATS = 5
_MORE_FLOPS = {torch.ops.aten.linalg_solve_triangular: _triangular_flops}
"""torch counts matrix products, convolutions and fused attention; elementwise work is counted nowhere."""


def measure_costs(recipe: Recipe, task: Task) -> Costs:
    """Count parameters, and the FLOPs of one forward pass over a sequence."""
    model = recipe.make_model(0, task)
    tokens = task.sample(1, generator(0, "held-out"))
    # oneDNN computes an LSTM in one kernel that torch does not count; torch may warn of switching it off.
    quiet = warnings.catch_warnings(action="ignore")
    with (
        quiet,
        torch.backends.mkldnn.flags(enabled=False),
        torch.no_grad(),
        FlopCounterMode(display=False, custom_mapping=_MORE_FLOPS) as counter,
    ):
        model(tokens)
    mixers = {id(p): p.numel() for name, p in model.named_parameters() if ".mixer." in name}
    return Costs(
        parameters=sum(p.numel() for p in model.parameters()),
        mixer_parameters=sum(mixers.values()),
        flops_per_token=counter.get_total_flops() / task.length,
        sequence_length=task.length,
        sequences_per_step=recipe.batch_size(task),
    )


def seconds_a_step(recipes: Sequence[Recipe], device: torch.device) -> list[float]:
    """Seconds of a forward and backward pass of one member of each, on one core or one GPU.

    The fastest of a few passes, in memory that is kept as where members train; in turns, so that other load on the
    machine hits all alike.
    """
    keep_memory()
    with single_threaded(), float32_products(tf32=False):
        groups = [Group(r, [Member(0, 1e-3)], device, vectorise=False) for r in recipes]
        batches = [[rows[:1].to(device) for rows in r.training_data(0, r.make_task(0), 0)] for r in recipes]
        times: list[list[float]] = [[] for _ in recipes]
        for _ in range(_REPEATS):
            for group, batch, taken in zip(groups, batches, times, strict=True):
                started = time.perf_counter()
                group.gradients(*batch)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                taken.append(time.perf_counter() - started)
    return [min(taken) for taken in times]
