"""AdamW over a matrix with one row a member, so that members with different learning rates step together."""

import torch
from torch import Tensor

__all__ = ["RowAdamW"]

_EPSILON = 1e-8


class RowAdamW:
    """AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) as torch computes it, with linear warm-up.

    Differs from `torch.optim.AdamW` in that every row has a learning rate of its own.

    Args:
        weights: `(E, P)`, updated in place.
        learning_rates: `(E, 1)`.
        betas: decay of the two moments.
        weight_decay: decoupled decay, relative to the learning rate.
        warmup_steps: steps over which the rate rises linearly to its value.
    """

    def __init__(
        self,
        weights: Tensor,
        learning_rates: Tensor,
        *,
        betas: tuple[float, float],
        weight_decay: float,
        warmup_steps: int,
    ) -> None:
        self.weights = weights
        self.learning_rates = learning_rates
        self.betas = betas
        self.weight_decay = weight_decay
        self.warmup_steps = warmup_steps
        self.mean = torch.zeros_like(weights, requires_grad=False)
        self.square = torch.zeros_like(weights, requires_grad=False)

    @torch.no_grad()
    def step(self, gradient: Tensor, number: int) -> None:
        """Update the weights for the `number`-th step, counted from 1, with a gradient `(E, P)`."""
        beta1, beta2 = self.betas
        rates = self.learning_rates * min(1.0, number / max(1, self.warmup_steps))
        self.mean.lerp_(gradient, 1 - beta1)
        self.square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = self.square.sqrt().div_((1 - beta2**number) ** 0.5).add_(_EPSILON)
        self.weights.mul_(1 - rates * self.weight_decay)
        self.weights.sub_(self.mean.div(root).mul_(rates / (1 - beta1**number)))

    def keep(self, rows: Tensor) -> None:
        """Drop every row but these."""
        self.weights = self.weights.detach()[rows].requires_grad_()
        self.learning_rates = self.learning_rates[rows]
        self.mean, self.square = self.mean[rows], self.square[rows]
