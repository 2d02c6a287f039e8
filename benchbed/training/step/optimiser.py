"""AdamW over a matrix with one row a member, so that members with different learning rates step together."""

import torch
from torch import Tensor

from benchbed.config.tracks import OptimiserSettings

__all__ = ["RowAdamW"]

_EPSILON = 1e-8


class RowAdamW:
    """AdamW (Loshchilov & Hutter, 2019, arXiv 1711.05101) as torch computes it, with linear warm-up.

    Differs from `torch.optim.AdamW` in that every row has a learning rate of its own. Rates and the number of the
    step are tensors and no Python numbers, so that a step which is recorded once is right whenever it is replayed.

    Args:
        weights: `(E, P)`, where the rows start; becomes a leaf that autograd differentiates.
        learning_rates: `(E, 1)`.
        settings: the track's.
        budget: steps that there will be at most.
        done: steps that the rows have taken before.
    """

    def __init__(
        self, weights: Tensor, learning_rates: Tensor, settings: OptimiserSettings, *, budget: int, done: int = 0
    ) -> None:
        self.weights = weights.requires_grad_()
        self._rates = learning_rates
        self._settings = settings
        self._mean = torch.zeros_like(weights, requires_grad=False)
        self._square = torch.zeros_like(weights, requires_grad=False)
        self._factors = _factors(settings, budget).to(weights.device)
        self._done = torch.tensor([done], device=weights.device)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Update the weights with a gradient `(E, P)`."""
        beta1, beta2 = self._settings.betas
        warm, mean_share, square_root = self._factors.index_select(0, self._done).unbind(dim=1)
        rates = self._rates * warm
        self._mean.lerp_(gradient, 1 - beta1)
        self._square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = self._square.sqrt().div_(square_root).add_(_EPSILON)
        self.weights.mul_(1 - rates * self._settings.weight_decay)
        self.weights.sub_(self._mean.div(root).mul_(rates / mean_share))
        self._done += 1

    def state(self) -> dict[str, Tensor]:
        """Weights and moments, each `(E, P)`; writing into them changes the optimiser."""
        return {"weights": self.weights.detach(), "mean": self._mean, "square": self._square}

    @property
    def changed(self) -> list[Tensor]:
        """Everything that a step writes into."""
        return [*self.state().values(), self._done]

    def keep(self, rows: Tensor) -> None:
        """Drop every row but these."""
        self.weights = self.weights.detach()[rows].requires_grad_()
        self._rates, self._mean, self._square = self._rates[rows], self._mean[rows], self._square[rows]


def _factors(settings: OptimiserSettings, budget: int) -> Tensor:
    """What depends on a step's number, `(budget, 3)`: share of the rate in the warm-up, and AdamW's two corrections.

    Computed in double precision, as torch.optim does.
    """
    (beta1, beta2), warmup = settings.betas, max(1, settings.warmup_steps)
    rows = [(min(1.0, step / warmup), 1 - beta1**step, (1 - beta2**step) ** 0.5) for step in range(1, budget + 1)]
    return torch.tensor(rows, dtype=torch.float32)
