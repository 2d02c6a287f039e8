"""Members that take every step together: each is one row of a matrix of weights.

Shapes: `E` members, `P` weights of one member, `B` batch, `T` tokens, `N` scored tokens, `V` vocabulary.

The weights of all members are one `(E, P)` leaf. `vmap` runs over the forward only, the losses are summed, and
ordinary autograd runs outside (`vmap` around `grad` breaks fused attention: its backward has no derivative).
Rows never meet, so a row that becomes NaN disturbs no other, and dropping a row leaves the others bit for bit.
"""

from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import functional as F

from benchbed.backbone import Backbone
from benchbed.optimiser import RowAdamW
from benchbed.recipe import Recipe
from benchbed.trajectory import Evaluation, Member

__all__ = ["Group"]


class Group:
    """Trains and evaluates a batch of members.

    Args:
        recipe: what they have in common.
        members: their seeds and learning rates, one row each.
        device: where to compute.
        vectorise: run the members' forwards as one, with `vmap`; without it the group must have one member.
        compiled: compile the loss with `torch.compile`.
        step: steps that these members have trained before (for `restore`).
    """

    def __init__(
        self,
        recipe: Recipe,
        members: list[Member],
        device: torch.device,
        *,
        vectorise: bool,
        compiled: bool = False,
        step: int = 0,
    ) -> None:
        assert vectorise or len(members) == 1
        self.members = members
        self.step = step
        self._recipe = recipe
        self._device = device
        self._vectorise = vectorise
        self._tasks = [recipe.make_task(member.seed) for member in members]
        models = [recipe.make_model(m.seed, t) for m, t in zip(members, self._tasks, strict=True)]
        self._sizes = [p.numel() for p in models[0].parameters() if p.requires_grad]
        self._shapes = {n: p.shape for n, p in models[0].named_parameters() if p.requires_grad}
        self._weights = torch.stack([_flatten(m) for m in models]).to(device).requires_grad_()
        self._shared, self._own = _fixed_tensors(models, device)
        self._template = models[0].to(device)
        held_out = [recipe.held_out_data(m.seed, t) for m, t in zip(members, self._tasks, strict=True)]
        self._held_out = torch.stack(held_out).to(device)  # (E, held_out, T)
        self._targets = self._tasks[0].scored.to(device)
        rates = torch.tensor([[m.learning_rate] for m in members], device=device)
        settings = recipe.optimiser
        self._optimiser = RowAdamW(
            self._weights,
            rates,
            betas=(settings.betas[0], settings.betas[1]),
            weight_decay=settings.weight_decay,
            warmup_steps=settings.warmup_steps,
        )
        self._losses = torch.compile(self._token_losses) if compiled else self._token_losses

    def advance(self) -> list[Evaluation]:
        """Train to the next evaluation and evaluate, one answer a member."""
        finite = self._train_interval()
        return self._evaluate(finite)

    def keep(self, rows: list[int]) -> None:
        """Retire every member but these; the others go on exactly as they would have."""
        index = torch.tensor(rows, dtype=torch.long, device=self._device)
        self.members = [self.members[i] for i in rows]
        self._tasks = [self._tasks[i] for i in rows]
        self._held_out = self._held_out[index]
        self._own = {name: tensor[index] for name, tensor in self._own.items()}
        self._optimiser.keep(index)
        self._weights = self._optimiser.weights

    def snapshot(self) -> list[dict[str, Tensor]]:
        """A copy of what each member has learned, on the group's device."""
        state = {
            "weights": self._weights.detach(),
            "mean": self._optimiser.mean,
            "square": self._optimiser.square,
        }
        return [{name: tensor[i].clone() for name, tensor in state.items()} for i in range(len(self.members))]

    def restore(self, rows: list[dict[str, Tensor]]) -> None:
        """Put back what `snapshot` took."""
        with torch.no_grad():
            for i, row in enumerate(rows):
                self._weights[i] = row["weights"]
                self._optimiser.mean[i], self._optimiser.square[i] = row["mean"], row["square"]

    def gradients(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of every scored token `(E, N)` for `tokens: (E, B, T)`, and the weights' gradients `(E, P)`."""
        losses = self._losses(self._weights, tokens)
        (gradient,) = torch.autograd.grad(losses.mean(dim=1).sum(), self._weights)
        return losses.detach(), gradient

    def _train_interval(self) -> Tensor:
        """Take the steps up to the next evaluation; the answer `(E,)` says whose losses were all finite."""
        recipe = self._recipe
        self._template.train()
        interval = self.step // recipe.budget.evaluate_every
        pairs = zip(self.members, self._tasks, strict=True)
        drawn = [recipe.training_data(member.seed, task, interval) for member, task in pairs]
        batches = torch.stack(drawn, dim=1).to(self._device)  # (steps, E, B, T)
        finite = torch.ones(len(self.members), dtype=torch.bool, device=self._device)
        for tokens in batches:
            losses, gradient = self.gradients(tokens)
            self.step += 1
            self._optimiser.step(gradient, self.step)
            finite &= losses.isfinite().all(dim=1)
        return finite

    @torch.no_grad()
    def _evaluate(self, finite: Tensor) -> list[Evaluation]:
        self._template.eval()
        losses, right, count = 0.0, 0.0, self._held_out.shape[1]
        # Pieces of about a training batch stay in the cache of a CPU.
        for tokens in self._held_out.split(self._recipe.batch_size(self._tasks[0]), dim=1):
            logits, targets = self._logits(self._weights, tokens), tokens[:, :, self._targets]
            losses = losses + _cross_entropy(logits, targets).sum(dim=1)
            right = right + (logits.argmax(dim=-1) == targets).sum(dim=1)
        losses, accuracy = torch.as_tensor(losses / count).cpu(), torch.as_tensor(right / count).cpu()
        finite = finite.cpu() & losses.isfinite().all(dim=1)
        solved = [bool(task.solved(row)) for task, row in zip(self._tasks, accuracy, strict=True)]
        rows = zip(losses.tolist(), accuracy.tolist(), solved, finite.tolist(), strict=True)
        return [Evaluation(self.step, loss, right, done and ok, ok) for loss, right, done, ok in rows]

    def _token_losses(self, weights: Tensor, tokens: Tensor) -> Tensor:
        """Mean loss of every scored token, `(E, N)`."""
        return _cross_entropy(self._logits(weights, tokens), tokens[:, :, self._targets]).mean(dim=1)

    def _logits(self, weights: Tensor, tokens: Tensor) -> Tensor:
        """`(E, P)` and `(E, B, T)` to `(E, B, N, V)`."""
        if self._vectorise:
            return vmap(self._member_logits)(weights, self._own, tokens)
        own = {name: tensor[0] for name, tensor in self._own.items()}
        return self._member_logits(weights[0], own, tokens[0])[None]

    def _member_logits(self, row: Tensor, own: dict[str, Tensor], tokens: Tensor) -> Tensor:
        pieces = zip(self._shapes.items(), row.split(self._sizes), strict=True)
        state: dict[str, Any] = {name: piece.view(shape) for (name, shape), piece in pieces}
        return functional_call(self._template, {**self._shared, **own, **state}, (tokens,))


def _flatten(model: Backbone) -> Tensor:
    """The trained parameters of one model as one vector `(P,)`."""
    return torch.cat([p.detach().flatten() for p in model.parameters() if p.requires_grad])


def _fixed_tensors(models: list[Backbone], device: torch.device) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
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


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Loss of every scored token of every sequence, `(E, B, N)`."""
    flat = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), reduction="none")
    return flat.view(targets.shape)
