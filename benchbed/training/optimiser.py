"""AdamW over a matrix with one row a member, so that members with different learning rates step together."""

import torch
from torch import Tensor

from benchbed.config.tracks import OptimiserSettings

__all__ = ["RowAdamW"]

_EPSILON = 1e-8


class RowAdamW:
    """AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) as torch computes it, with linear warm-up.

    Differs from `torch.optim.AdamW` in that every row has a learning rate of its own.

    Args:
        weights: `(E, P)`, where the rows start; becomes a leaf that autograd differentiates.
        learning_rates: `(E, 1)`.
        settings: the track's.
    """

    def __init__(self, weights: Tensor, learning_rates: Tensor, settings: OptimiserSettings) -> None:
        self.weights = weights.requires_grad_()
        self._rates = learning_rates
        self._settings = settings
        self._mean = torch.zeros_like(weights, requires_grad=False)
        self._square = torch.zeros_like(weights, requires_grad=False)

    @torch.no_grad()
    def step(self, gradient: Tensor, number: int) -> None:
        """Update the weights for the `number`-th step, counted from 1, with a gradient `(E, P)`."""
        beta1, beta2 = self._settings.betas
        rates = self._rates * min(1.0, number / max(1, self._settings.warmup_steps))
        self._mean.lerp_(gradient, 1 - beta1)
        self._square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = self._square.sqrt().div_((1 - beta2**number) ** 0.5).add_(_EPSILON)
        self.weights.mul_(1 - rates * self._settings.weight_decay)
        self.weights.sub_(self._mean.div(root).mul_(rates / (1 - beta1**number)))

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, each `(E, P)`; writing into them changes the optimiser."""
        return {"weights": self.weights.detach(), "mean": self._mean, "square": self._square}

    def keep(self, rows: Tensor) -> None:
        """Drop every row but these."""
        self.weights = self.weights.detach()[rows].requires_grad_()
        self._rates, self._mean, self._square = self._rates[rows], self._mean[rows], self._square[rows]
