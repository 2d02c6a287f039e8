"""The forward of many members as a function of everything they hold.

Shapes: `E` members, `P` weights of one member, `B` batch, `T` tokens, `N` scored tokens, `V` vocabulary.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from benchbed.training.backbone import Backbone

__all__ = ["Forward", "cross_entropy", "fixed_tensors", "flatten"]

T = TypeVar("T")


class Forward:
    """Applies one module's structure to the weights of many members.

    `functional_call` puts a member's weights into the template while it runs, so that each thread needs a template
    of its own.

    Args:
        template: a model of the members' structure; its own weights are not used.
        vectorise: compute all members as one with `vmap`; without it there must be one member.
    """

    def __init__(self, template: Backbone, *, vectorise: bool) -> None:
        self.template = template
        self.vectorise = vectorise
        trained = {name: p for name, p in template.named_parameters() if p.requires_grad}
        self._shapes = {name: p.shape for name, p in trained.items()}
        self._sizes = [p.numel() for p in trained.values()]
        self._scope = _Scope(template)

    def logits(self, weights: Tensor, shared: dict[str, Tensor], own: dict[str, Tensor], tokens: Tensor) -> Tensor:
        """Logits `(E, B, N, V)`.

        Args:
            weights: `(E, P)`.
            shared: buffers and frozen parameters that all members have in common, by name.
            own: those that each member has for itself, `(E, ...)`.
            tokens: `(E, B, T)`.
        """
        if self.vectorise:
            return vmap(self._one, in_dims=(0, None, 0, 0))(weights, shared, own, tokens)
        return self._one(weights[0], shared, {name: tensor[0] for name, tensor in own.items()}, tokens[0])[None]

    def token_losses(
        self, weights: Tensor, shared: dict[str, Tensor], own: dict[str, Tensor], tokens: Tensor, targets: Tensor
    ) -> Tensor:
        """Mean loss of every scored token `(E, N)`; `targets` are those tokens, `(E, B, N)`."""
        return cross_entropy(self.logits(weights, shared, own, tokens), targets).mean(dim=1)

    def holding(
        self, weights: Tensor, shared: dict[str, Tensor], own: dict[str, Tensor], run: Callable[[Backbone], T]
    ) -> T:
        """What `run(template)` gives while the one member's tensors are in the template.

        A backward pass that computes activations again (`torch.utils.checkpoint`) must find them there, and not what
        the template held before.
        """
        state = self._state(weights[0], shared, {name: tensor[0] for name, tensor in own.items()})
        return functional_call(self._scope, {f"model.{name}": tensor for name, tensor in state.items()}, (run,))

    def _one(self, row: Tensor, shared: dict[str, Tensor], own: dict[str, Tensor], tokens: Tensor) -> Tensor:
        return functional_call(self.template, self._state(row, shared, own), (tokens,))

    def _state(self, row: Tensor, shared: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
        pieces = zip(self._shapes.items(), row.split(self._sizes), strict=True)
        return {**shared, **own, **{name: piece.view(shape) for (name, shape), piece in pieces}}


class _Scope(nn.Module):
    def __init__(self, model: Backbone) -> None:
        super().__init__()
        self.model = model

    def forward(self, run: Callable[[Backbone], T]) -> T:
        return run(self.model)


def flatten(model: Backbone) -> Tensor:
    """The trained parameters of one model as one vector `(P,)`."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def fixed_tensors(models: list[Backbone], device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Buffers and frozen parameters: those that all members share, and those that differ, stacked `(E, ...)`."""
    shared, own = {}, {}
    frozen = {n for n, p in models[0].named_parameters() if not p.requires_grad}
    for name in [*frozen, *(n for n, _ in models[0].named_buffers())]:
        tensors = [(m.get_parameter(name) if name in frozen else m.get_buffer(name)).detach() for m in models]
        if all(torch.equal(tensors[0], other) for other in tensors[1:]):
            shared[name] = tensors[0].to(device)
        else:
            own[name] = torch.stack(tensors).to(device)
    return shared, own


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Loss of every scored token of every sequence, `(E, B, N)`."""
    return F.cross_entropy(logits.flatten(0, 2), targets.flatten(), reduction="none").view(targets.shape)
