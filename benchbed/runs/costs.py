"""What a member costs, measured and not declared."""

import math
import warnings

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchbed.contracts import Task
from benchbed.results.result import Costs
from benchbed.training.recipe import Recipe
from benchbed.training.seeding import generator

__all__ = ["measure_costs"]


def _triangular_flops(matrix: torch.Size, right: torch.Size, *_: object, **__: object) -> int:
    """A multiplication and an addition for each entry of the triangle and column on the right."""
    return math.prod(matrix[:-2]) * matrix[-1] ** 2 * right[-1]


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
