"""Members that take every step together: each is one row of a matrix of weights.

Shapes: `E` members, `P` weights of one member, `B` batch, `T` tokens, `N` scored tokens.

The weights of all members are one `(E, P)` leaf. `vmap` runs over the forward only, the losses are summed, and
ordinary autograd runs outside (`vmap` around `grad` breaks fused attention: its backward has no derivative). Rows
never meet, so a row that becomes NaN disturbs no other.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchbed.training.confirmation.hidden import confirm
from benchbed.training.recipe import Data, Recipe
from benchbed.training.step.capture import CapturedStep
from benchbed.training.step.forward import Forward, cross_entropy, fixed_tensors, flatten
from benchbed.training.step.optimiser import RowAdamW
from benchbed.training.trajectory import Evaluation, Member

__all__ = ["Group"]


class Group:
    """Trains and evaluates a batch of members.

    Args:
        recipe: what they have in common.
        members: their seeds and learning rates, one row each.
        device: where to compute.
        vectorise: compute the members' forwards as one, with `vmap`; without it the group must have one member.
        losses: `Forward.token_losses`, compiled, to train with; by default it is this group's own, not compiled.
        captured: record the step once for as long as the group keeps its members, and replay it.
        step: steps that these members have trained before (for `restore`).
        ahead: draw the next interval's data while the device computes this one's steps; by default where it does so
            by itself. On a CPU it would be drawn in vain for members that solve.
    """

    def __init__(
        self,
        recipe: Recipe,
        members: list[Member],
        device: torch.device,
        *,
        vectorise: bool,
        losses: Callable[..., Tensor] | None = None,
        captured: bool = False,
        step: int = 0,
        ahead: bool | None = None,
    ) -> None:
        assert vectorise or len(members) == 1
        self.members, self.step = members, step
        self._recipe, self._device = recipe, device
        self._tasks = [recipe.make_task(member.seed, member.run) for member in members]
        pairs = list(zip(members, self._tasks, strict=True))
        models = [recipe.make_model(member.seed, task) for member, task in pairs]
        self._shared, self._own = fixed_tensors(models, device)
        self._optimiser = RowAdamW(
            torch.stack([flatten(model) for model in models]).to(device),
            torch.tensor([[member.learning_rate] for member in members], device=device),
            recipe.optimiser,
            budget=recipe.budget.steps,
            done=step,
        )
        self._held_out = _stack([recipe.held_out_data(m.seed, task) for m, task in pairs], 0, device)
        self._forward = Forward(models[0].to(device), vectorise=vectorise)
        self._compiled = losses
        self._captures = captured
        self._captured: CapturedStep | None = None
        self._finite = torch.ones(len(members), dtype=torch.bool, device=device)
        """`(E,)`: whose losses were finite since the last evaluation."""
        self._met = [False] * len(members)
        self._ahead = device.type == "cuda" if ahead is None else ahead
        self._drawn: dict[int, Data] = {}
        """By interval, `(steps, E, B, ...)`: the next one, where it is drawn ahead."""

    def advance(self) -> list[Evaluation]:
        """Train to the next evaluation and evaluate, one answer a member."""
        self._train_interval()
        return self._evaluate()

    def keep(self, rows: list[int]) -> None:
        """Retire every member but these; the others go on as they would have."""
        index = torch.tensor(rows, dtype=torch.long, device=self._device)
        self.members = [self.members[i] for i in rows]
        self._tasks = [self._tasks[i] for i in rows]
        self._met = [self._met[i] for i in rows]
        self._held_out = Data(*(rows[index] for rows in self._held_out))
        self._drawn = {interval: Data(*(rows[:, index] for rows in data)) for interval, data in self._drawn.items()}
        self._own = {name: tensor[index] for name, tensor in self._own.items()}
        self._optimiser.keep(index)
        self._finite = self._finite[index]
        self._captured = None

    @property
    def weights(self) -> Tensor:
        """What each member has learned, `(E, P)`, without the optimiser's moments; the next step changes it."""
        return self._optimiser.weights.detach()

    def snapshot(self) -> list[dict[str, Tensor]]:
        """A copy of what each member has learned, on the group's device, and whether it met the criterion last."""
        state = self._optimiser.state()
        return [
            {**{name: tensor[i].clone() for name, tensor in state.items()}, "met": torch.tensor(met)}
            for i, met in enumerate(self._met)
        ]

    def restore(self, rows: list[dict[str, Tensor]]) -> None:
        """Put back what `snapshot` took."""
        for name, tensor in self._optimiser.state().items():
            tensor.copy_(torch.stack([row[name] for row in rows]))
        self._met = [bool(row.get("met", False)) for row in rows]  # earlier checkpoints lack it

    def gradients(self, tokens: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of every scored token `(E, N)`, and the weights' gradients `(E, P)`.

        Args:
            tokens: `(E, B, T)`.
            targets: what is predicted at the scored places, `(E, B, N)`.
        """
        weights = self._optimiser.weights

        def differentiate(losses: Tensor) -> tuple[Tensor, Tensor]:
            (gradient,) = torch.autograd.grad(losses.mean(dim=1).sum(), weights)
            return losses.detach(), gradient

        if self._compiled is not None or self._forward.vectorise:
            losses = self._compiled or self._forward.token_losses
            return differentiate(losses(weights, self._shared, self._own, tokens, targets))
        return self._forward.holding(
            weights,
            self._shared,
            self._own,
            lambda model: differentiate(cross_entropy(model(tokens[0])[None], targets).mean(dim=1)),
        )

    @torch.no_grad()
    def shake(self) -> None:
        """Move all weights off their start, those of every member alike: engines that agree there agree anywhere."""
        weights = self._optimiser.weights
        weights += 0.02 * torch.sin(torch.arange(weights.shape[1], device=weights.device, dtype=weights.dtype))

    def take(self, tokens: Tensor, targets: Tensor) -> None:
        """Take one step; arguments are those of `gradients`."""
        if not self._captures:
            self._step(tokens, targets)
        else:
            if self._captured is None:
                changed = [*self._optimiser.changed, self._finite]
                self._captured = CapturedStep(self._step, (tokens, targets), changed)
            self._captured(tokens, targets)
        self.step += 1

    def _step(self, tokens: Tensor, targets: Tensor) -> None:
        losses, gradient = self.gradients(tokens, targets)
        self._optimiser.step(gradient)
        self._finite &= losses.isfinite().all(dim=1)

    def _train_interval(self) -> None:
        """Take the steps up to the next evaluation."""
        recipe = self._recipe
        self._forward.template.train()
        interval = self.step // recipe.budget.evaluate_every
        batches = self._drawn.pop(interval, None) or self._draw(interval)
        self._finite.fill_(True)
        for tokens, targets in zip(*batches, strict=True):
            self.take(tokens, targets)
        if self._ahead and self.step < recipe.budget.steps:
            self._drawn = {interval + 1: self._draw(interval + 1)}

    def _draw(self, interval: int) -> Data:
        """What the members train on in an interval, `(steps, E, B, ...)`."""
        pairs = zip(self.members, self._tasks, strict=True)
        return _stack([self._recipe.training_data(m.seed, task, interval) for m, task in pairs], 1, self._device)

    @torch.no_grad()
    def _evaluate(self) -> list[Evaluation]:
        self._forward.template.eval()
        size, right = self._recipe.batch_size(self._tasks[0]), list[Tensor]()
        count, scored = self._held_out.targets.shape[1:]
        losses = torch.zeros(len(self.members), scored, device=self._device)
        # Pieces of about a training batch stay in the cache of a CPU.
        for tokens, targets in zip(*(rows.split(size, dim=1) for rows in self._held_out), strict=True):
            logits = self._forward.logits(self._optimiser.weights, self._shared, self._own, tokens)
            losses = losses + cross_entropy(logits, targets).sum(dim=1)
            right.append(logits.argmax(dim=-1) == targets)
        hits = torch.cat(right, dim=1)  # (E, H, N)
        losses, accuracy = (losses / count).cpu(), (hits.sum(dim=1) / count).cpu()
        finite = self._finite.cpu() & losses.isfinite().all(dim=1)
        return [
            self._judge(row, losses[row].tolist(), accuracy[row], hits[row], bool(finite[row]))
            for row in range(len(self.members))
        ]

    def _judge(self, row: int, losses: list[float], accuracy: Tensor, hits: Tensor, finite: bool) -> Evaluation:
        """Whether a member meets the criterion; where it did not before, with the future hidden as well."""
        member, task = self.members[row], self._tasks[row]
        met, leaks = finite and bool(task.solved(accuracy)), False
        if met and not self._met[row]:
            fixed = self._shared | {name: tensor[row] for name, tensor in self._own.items()}
            weights = self._optimiser.weights[row]
            data = Data(*(rows[row] for rows in self._held_out))
            met, leaks = confirm(self._recipe, member.seed, task, data, hits, weights, fixed)
        self._met[row] = met
        return Evaluation(self.step, losses, accuracy.tolist(), met, finite, leaks)


def _stack(data: list[Data], dim: int, device: torch.device) -> Data:
    """The data of several members side by side; a GPU fetches it by itself, from memory that stays where it is."""
    stacked = (torch.stack(rows, dim=dim) for rows in zip(*data, strict=True))
    if device.type != "cuda":
        return Data(*(rows.to(device) for rows in stacked))
    return Data(*(rows.pin_memory().to(device, non_blocking=True) for rows in stacked))
