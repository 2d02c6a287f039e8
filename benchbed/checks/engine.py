"""Does the engine train a mixer as it is written? Its starts, its weights in another instance, and its gradients."""

import re
import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils import vector_to_parameters

from benchbed.checks.findings import Note
from benchbed.checks.pretended import why_not_cuda
from benchbed.checks.subject import Subject
from benchbed.config.tracks import BackboneSizes, Budget, OptimiserSettings
from benchbed.training.engine import why_not_vmap
from benchbed.training.group import Group
from benchbed.training.recipe import Recipe
from benchbed.training.seeding import generator, seeded_globally
from benchbed.training.trajectory import Member
from benchbed.training.validation import check_mixer, targets_in, tensors_of

__all__ = ["as_autograd", "compiles", "on_cuda", "rebuilds", "starts", "vectorised"]


def rebuilds(subject: Subject) -> str | None:
    """What is kept of a trained mixer is its weights and buffers: put into a mixer built anew, they are all of it."""
    mixer, x = subject.randomised(), subject.input()
    with seeded_globally(1, "weights"):
        other = subject.make().to(subject.dtype).eval()
    kept, free = tensors_of(mixer), tensors_of(other)
    if kept.keys() != free.keys():
        return "two of them hold parameters of other names; make the same ones in every __init__"
    with torch.no_grad():
        for name, tensor in kept.items():
            free[name].copy_(tensor)
    return None if torch.allclose(other(x), mixer(x)) else "its weights in a mixer built anew give another output"


def starts(subject: Subject) -> str | None:
    """A start of its own for every seed, and nothing that no optimiser knows of."""
    check_mixer(subject.make, subject.dim, subject.length)
    starts = []
    for seed in range(2):
        with seeded_globally(seed, "weights"):
            starts.append(dict(subject.make().named_parameters()))
    drawn = [name for name, p in starts[0].items() if _looks_drawn(p)]
    if drawn and all(torch.equal(p, starts[1][name]) for name, p in starts[0].items()):
        return f"every seed starts alike, though {drawn[0]} looks drawn; draw from torch's global generator"
    return None


def _looks_drawn(parameter: Tensor) -> bool:
    """Many different numbers in no order; zeros, ones, an identity and a range of decays are none of that."""
    values = parameter.detach().flatten()
    rows = parameter.detach().view(-1, parameter.shape[-1]) if parameter.ndim else values[None]
    signs = rows.diff(dim=-1).sign()
    ordered = bool((signs == signs[:, :1]).all())  # also where a row has one number
    return len(values) >= 16 and len(values.unique()) > len(values) // 2 and not ordered


def as_autograd(subject: Subject) -> str | None:
    """The gradients of the engine, which puts a member's weights into one template, against plain autograd's."""
    recipe = _recipe_of(subject)
    group, task = Group(recipe, [Member(0, 1e-3)], torch.device("cpu"), vectorise=False), recipe.make_task(0)
    group.shake()
    tokens = task.sample(4, generator(0, "training"))
    targets = targets_in(task, tokens)
    with seeded_globally(0, "weights"):
        _, (gradient,) = group.gradients(tokens[None], targets[None])
    model = recipe.make_model(0, task)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    vector_to_parameters(group.weights[0], trained.values())
    with seeded_globally(0, "weights"):
        logits = model.train()(tokens)
    nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    position = 0
    for name, parameter in trained.items():
        mine = gradient[position : position + parameter.numel()].view_as(parameter)
        position += parameter.numel()
        plain = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        if not torch.allclose(mine, plain, rtol=1e-3, atol=1e-4 * float(gradient.abs().max())):
            return f"the engine's gradient of {name} is not that of plain autograd; it would not train as written"
    return None


class _Tokens:
    """A task of no meaning, at the length of a subject."""

    version = 1
    vocabulary = 4
    parents = None
    chance_loss = 1.0

    def __init__(self, generator: torch.Generator, *, length: int) -> None:
        self.length = length
        self.scored = torch.arange(length) > 0

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(self.vocabulary, (count, self.length), generator=generator)

    def solved(self, accuracy: Tensor) -> Tensor:
        return (accuracy > 2).all(-1)


def _recipe_of(subject: Subject) -> Recipe:
    return Recipe(
        mixer=subject.mixer,  # pyright: ignore[reportArgumentType]
        mixer_options=subject.options,
        task=_Tokens,
        task_options=({"length": subject.length},),
        backbone=BackboneSizes(dim=subject.dim, mlp_dim=subject.dim, layers=1),
        optimiser=OptimiserSettings(learning_rates=[1e-3], betas=[0.9, 0.999], weight_decay=0.0, warmup_steps=0),
        budget=Budget(steps=2, tokens_per_step=2 * subject.length, evaluate_every=1, held_out=2),
    )


def vectorised(subject: Subject) -> str | None:
    """Two members at once, against one after the other, as the engine decides how to train them."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        reason = why_not_vmap(_recipe_of(subject), torch.device("cpu"))
    if reason:
        return Note(f"members train one at a time, because vmap cannot: {reason[:120]}")
    slow = [re.search(r"aten::\w+", str(warning.message)) for warning in caught]
    names = ", ".join(sorted({match.group() for match in slow if match}))
    return Note(f"vmap computes members one after another inside {names}: correct, and slower") if names else None


def on_cuda(subject: Subject) -> str | None:
    """What would go wrong on a GPU, as far as can be seen without one."""
    recipe = _recipe_of(subject)
    with warnings.catch_warnings(action="ignore"):
        return why_not_cuda(recipe, vectorise=why_not_vmap(recipe, torch.device("cpu")) is None)


def compiles(subject: Subject) -> str | None:
    """Whether `--compile` is of use."""
    mixer, x = subject.randomised(), subject.input()
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch's opinion of a Python release is none of a mixer
            # This back end traces and generates no code: seconds instead of half a minute.
            compiled = torch.compile(mixer, backend="eager")(x)
    except Exception as error:
        return Note(f"--compile does not work: {' '.join(str(error).split())[:120]}")
    return None if torch.allclose(compiled, mixer(x)) else Note("compiled, it gives another output")
