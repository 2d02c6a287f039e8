"""Conformance: what a mixer must satisfy before its score means anything, in seconds and without training.

`conformance(Subject(MyMixer))` gives one finding a check; `conformance_tests(MyMixer)` gives one pytest test a check:

    from benchbed.checks import conformance_tests
    from my_package import MyMixer

    test_my_mixer = conformance_tests(MyMixer)

No check proves innocence; that a solve is no cheat is shown by `benchbed.training.confirmation`.
"""

import pickle
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, get_args

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.func import functional_call, vmap

from benchbed.checks.causality import batch_leak, future_leak, randomise, situations
from benchbed.checks.findings import Check, Finding, Note, as_tests, run_checks
from benchbed.contracts import BiasableMixer, MixerWithWeights, PatchableMixer, takes_bias
from benchbed.plugins.options import options_model
from benchbed.plugins.registry import POSITIONAL
from benchbed.training.seeding import seeded_globally
from benchbed.training.validation import check_output

__all__ = ["CHECKS", "LEAK_CHECKS", "Subject", "conformance", "conformance_tests"]


@dataclass(frozen=True)
class Subject:
    """A mixer under test."""

    mixer: Callable[..., nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    dim: int = 64
    length: int = 16
    sizes: tuple[tuple[int, int], ...] = ()
    """Further widths and lengths that it must work at: those of the tracks."""

    def build(self, dim: int | None = None, length: int | None = None, **changes: Any) -> nn.Module:
        """One mixer; the same call gives the same weights."""
        with seeded_globally(0, "weights"):
            return self.mixer(dim or self.dim, length or self.length, **{**self.options, **changes})

    def randomised(self) -> nn.Module:
        """In float64, with every parameter drawn anew, in eval() mode."""
        return randomise(self.build().double().eval(), torch.Generator().manual_seed(0))

    def input(self, batch: int = 3, scale: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
        """Normal numbers `(batch, length, dim)`."""
        generator = torch.Generator().manual_seed(1)
        return scale * torch.randn(batch, self.length, self.dim, generator=generator, dtype=dtype)


def _shapes(subject: Subject) -> str | None:
    for dim, length in {(subject.dim, subject.length), *subject.sizes}:
        check_output(lambda dim=dim, length=length: subject.build(dim, length), dim, length)
    return None


def _no_future(subject: Subject) -> str | None:
    found = (future_leak(subject.build, subject.dim, situation) for situation in situations(subject.length))
    return next((leak for leak in found if leak), None)


def _no_neighbours(subject: Subject) -> str | None:
    tried = (s for s in situations(subject.length) if s.batch > 1)
    found = (batch_leak(subject.build, subject.dim, situation) for situation in tried)
    return next((leak for leak in found if leak), None)


def _no_state(subject: Subject) -> str | None:
    for mode in (False, True):
        mixer, x = subject.randomised().train(mode), subject.input()
        before = {name: tensor.clone() for name, tensor in mixer.state_dict().items()}
        first = mixer(x).detach()
        mixer(subject.input(batch=5, scale=2.0))
        for name, tensor in mixer.state_dict().items():
            if name not in before:
                return f"{name} was made in forward; make every parameter and buffer in __init__"
            if not torch.equal(tensor, before[name]):
                return f"forward changes {name} in {'train' if mode else 'eval'}() mode; keep nothing between calls"
        if not torch.equal(mixer(x).detach(), first):
            return f"the same input gives another output later, in {'train' if mode else 'eval'}() mode"
    return None


def _no_randomness(subject: Subject) -> str | None:
    for mode in (False, True):
        mixer, x = subject.randomised().train(mode), subject.input()
        states = torch.get_rng_state(), random.getstate()
        mixer(x)
        if not torch.equal(torch.get_rng_state(), states[0]) or random.getstate() != states[1]:
            return f"forward draws random numbers in {'train' if mode else 'eval'}() mode; no run could be repeated"
    return None


def _input_unchanged(subject: Subject) -> str | None:
    mixer, x = subject.randomised(), subject.input()
    kept = x.clone()
    with torch.no_grad():
        mixer(x)
    return None if torch.equal(x, kept) else "forward changes its input in place; the residual stream is shared"


def _gradients(subject: Subject) -> str | None:
    mixer = subject.randomised()
    declared = dict(mixer.named_parameters())
    (mixer(subject.input()) * subject.input(scale=0.5)).sum().backward()
    for name, parameter in mixer.named_parameters():
        if name not in declared:
            return f"parameter {name} was made in forward, where no optimiser knows of it"
        if not parameter.requires_grad:
            continue
        if parameter.grad is None or not parameter.grad.any():
            return f"parameter {name} gets no gradient; leave it out, or use it"
        if not parameter.grad.isfinite().all():
            return f"parameter {name} gets a gradient that is not finite"
    return None


def _finite(subject: Subject) -> str | None:
    for scale in (0.0, 1.0, 1e3):
        x = subject.input(scale=scale, dtype=torch.float32).requires_grad_()
        y = subject.build()(x)
        if not y.isfinite().all():
            return f"the output is not finite for inputs of size {scale:g}"
        (gradient,) = torch.autograd.grad(y.sum(), x, materialize_grads=True)
        if not gradient.isfinite().all():
            return f"the gradient is not finite for inputs of size {scale:g}"
    return None


def _weights(subject: Subject) -> str | None:
    """What a mixer says of its own mixing is what it does: traces and interventions build on it."""
    mixer, x = subject.randomised(), subject.input()
    if isinstance(mixer, MixerWithWeights):
        weights, shape = mixer.mixing_weights(x), (len(x), subject.length, subject.length)
        if weights.ndim != 4 or (weights.shape[0], *weights.shape[2:]) != shape:
            return (
                f"mixing_weights: expected (B, H, T, T) = ({shape[0]}, H, {shape[1]}, {shape[2]}), "
                f"found {tuple(weights.shape)}"
            )
        if weights.triu(1).any():
            return "mixing_weights gives weight to later tokens"
        if isinstance(mixer, PatchableMixer) and not torch.allclose(mixer.mix(x, weights), mixer(x)):
            return "mix(x, mixing_weights(x)) differs from forward(x)"
    return _score_bias(mixer, x) if takes_bias(mixer) else None


def _score_bias(mixer: BiasableMixer, x: Tensor) -> str | None:
    assert isinstance(mixer, nn.Module)
    length = x.shape[1]
    expected = torch.full((length, length), -torch.inf).triu(1).to(x)
    if "score_bias" not in dict(mixer.named_buffers()) or not torch.equal(mixer.score_bias, expected):
        return f"score_bias: expected a buffer ({length}, {length}) of -inf above the diagonal and 0 elsewhere"
    before = mixer(x)
    mixer.score_bias[-1, -2] = 5.0
    moved = (mixer(x) - before).abs().amax(dim=(0, 2)) > 0
    if not moved[-1] or moved[:-1].any():
        return "score_bias: a bias in the last row must move the last output and no other"
    return None


def _options_used(subject: Subject) -> str | None:
    """An option that changes neither the parameters nor the output is ignored, or misspelled inside."""
    if not isinstance(subject.mixer, type):
        return None
    model = options_model(subject.mixer, POSITIONAL["mixer"])
    for name, info in model.model_fields.items():
        value = subject.options.get(name, info.default)
        tried = [_differs(subject, model, name, other) for other in _alternatives(value, info.annotation)]
        if False in tried and True not in tried:
            return f"option '{name}' changes neither the parameters nor the output"
    return None


def _alternatives(value: Any, annotation: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value * 2, max(1, value // 2), value + 1, 1]
    if isinstance(value, float):
        return [value / 2, value * 2]
    return [choice for choice in get_args(annotation) if choice != value and not isinstance(choice, type)]


def _differs(subject: Subject, model: type[BaseModel], name: str, value: Any) -> bool | None:
    """Whether another value makes another mixer; None where it makes none, as heads that do not divide the width."""
    x, before = subject.input(dtype=torch.float32), subject.build()
    try:
        model.model_validate({name: value})
        after = subject.build(**{name: value})
        y = after(x)
    except Exception:
        return None
    shapes = [{n: t.shape for n, t in mixer.state_dict().items()} for mixer in (before, after)]
    return shapes[0] != shapes[1] or not torch.equal(before(x), y)


def _pickles(subject: Subject) -> str | None:
    mixer, x = subject.randomised(), subject.input()
    try:
        copy = pickle.loads(pickle.dumps(mixer))
    except Exception as error:
        return f"cannot be pickled: {type(error).__name__}: {error}"
    return None if torch.equal(copy(x), mixer(x)) else "a pickled copy gives another output"


def _vmap(subject: Subject) -> str | None:
    """Two members at once, as the engine computes them, against one after the other."""
    mixer, x = subject.randomised(), torch.stack((subject.input(), subject.input(scale=0.5)))
    members = [{n: p.detach() * factor for n, p in mixer.named_parameters()} for factor in (1.0, 0.7)]
    looped = torch.stack([functional_call(mixer, p, (row,)) for p, row in zip(members, x, strict=True)])
    stacked = {name: torch.stack([member[name] for member in members]) for name in members[0]}
    try:
        with warnings.catch_warnings(record=True, action="always") as caught:
            batched = vmap(lambda p, row: functional_call(mixer, p, (row,)))(stacked, x)
    except Exception as error:
        return Note(f"members train one at a time, because vmap cannot: {' '.join(str(error).split())[:120]}")
    if not torch.allclose(batched, looped):
        return "members give other outputs together (vmap) than one by one"
    slow = [re.search(r"aten::\w+", str(warning.message)) for warning in caught]
    names = ", ".join(sorted({match.group() for match in slow if match}))
    return Note(f"vmap computes members one after another inside {names}: correct, and slower") if names else None


def _compile(subject: Subject) -> str | None:
    mixer, x = subject.randomised(), subject.input()
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch's opinion of a Python release is none of a mixer
            # This back end traces and generates no code: seconds instead of half a minute.
            compiled = torch.compile(mixer, backend="eager")(x)
    except Exception as error:
        return Note(f"--compile does not work: {' '.join(str(error).split())[:120]}")
    return None if torch.allclose(compiled, mixer(x)) else Note("compiled, it gives another output")


CHECKS: dict[str, Check[Subject]] = {
    "shapes": _shapes,
    "no future": _no_future,
    "no neighbours": _no_neighbours,
    "no state": _no_state,
    "no randomness": _no_randomness,
    "input unchanged": _input_unchanged,
    "gradients": _gradients,
    "finite": _finite,
    "weights": _weights,
    "options used": _options_used,
    "pickles": _pickles,
    "vmap": _vmap,
    "compile": _compile,
}

LEAK_CHECKS = ("no future", "no neighbours")
"""Without these a score means nothing."""


def conformance(subject: Subject, names: tuple[str, ...] = tuple(CHECKS)) -> Iterator[Finding]:
    """Run checks one by one."""
    return run_checks(CHECKS, subject, names)


def conformance_tests(mixer: type[nn.Module], **options: Any) -> Callable[[str], None]:
    """Make a parametrised pytest function with one test a check, for a plug-in's own tests.

    Args:
        mixer: the class.
        options: those that differ from its defaults.
    """
    return as_tests(CHECKS, Subject(mixer, options))
