"""Conformance: what a mixer must satisfy before its score means anything, in seconds and without training.

`conformance(Subject(MyMixer))` gives one finding a check; `conformance_tests(MyMixer)` gives one pytest test a check:

    from benchbed.checks import conformance_tests
    from my_package import MyMixer

    test_my_mixer = conformance_tests(MyMixer)

No check proves innocence; that a solve is no cheat is shown by `benchbed.training.confirmation`.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, get_args

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from benchbed.checks import engine
from benchbed.checks.borrowed import own_start
from benchbed.checks.causality import Situation, batch_leak, future_leak, situations
from benchbed.checks.findings import Check, Finding, Note, as_tests, run_checks
from benchbed.checks.subject import Subject
from benchbed.contracts import BiasableMixer, MixerWithWeights, PatchableMixer, takes_bias
from benchbed.plugins.options import option_names, options_model
from benchbed.plugins.registry import POSITIONAL
from benchbed.training.validation import check_output

__all__ = ["CHECKS", "LEAK_CHECKS", "Subject", "conformance", "conformance_tests"]


def _shapes(subject: Subject) -> str | None:
    check_output(subject.build, subject.dim, subject.length)
    cannot = {}
    for name, (dim, length) in subject.levels.items():
        try:
            check_output(lambda dim=dim, length=length: subject.build(dim, length), dim, length)
        except Exception as error:
            cannot[name] = f"width {dim}, {length} tokens: {' '.join(str(error).split())[:100]}"
    if not cannot:
        return None
    can = [name for name in subject.levels if name not in cannot]
    first = next(iter(cannot))
    return Note(
        f"cannot do {', '.join(cannot)} ({first}: {cannot[first]}); can do {', '.join(can) or 'none of them'}"
    )


def _no_future(subject: Subject) -> str | None:
    return _first_leak(subject, future_leak, situations(subject.length, subject.dtype))


def _no_neighbours(subject: Subject) -> str | None:
    tried = [s for s in situations(subject.length, subject.dtype) if s.batch > 1]
    return _first_leak(subject, batch_leak, tried)


def _first_leak(subject: Subject, look: Callable[..., str | None], tried: list[Situation]) -> str | None:
    for situation in tried:
        try:
            leak = look(subject.build, subject.dim, situation)
        except Exception:
            if situation.length == subject.length:
                raise
            continue  # other lengths are tried where the mixer has them: one may be made for powers of two alone
        if leak:
            return leak
    return None


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
        state = torch.get_rng_state()
        later = mixer(x).detach()
        if not torch.equal(later, first) and torch.equal(torch.get_rng_state(), state):
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
    idle: set[str] | None = None
    # One of many experts may get no token of a few, nor any from one router: more are tried before anything is said.
    for seed, batch in enumerate((3, 64, 64, 64, 64, 64)):
        mixer = subject.randomised(seed)
        declared = dict(mixer.named_parameters())
        if not any(parameter.requires_grad for parameter in declared.values()):
            return None
        (mixer(subject.input(batch)) * subject.input(batch, scale=0.5)).sum().backward()
        trained = {name: p for name, p in mixer.named_parameters() if p.requires_grad}
        for name, parameter in trained.items():
            if name not in declared:
                return f"parameter {name} was made in forward, where no optimiser knows of it"
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                return f"parameter {name} gets a gradient that is not finite"
        now = {name for name, p in trained.items() if p.grad is None or not p.grad.any()}
        idle = now if idle is None else idle & now
        if not idle:
            return None
    return f"parameter {min(idle or ())} gets no gradient; leave it out, or use it"


def _finite(subject: Subject) -> str | None:
    """For inputs as a norm gives them: none at all, usual ones, and all as large as it lets a single channel be."""
    for scale in (0.0, 1.0, subject.dim**0.5):
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
    for name, fieldname in option_names(model).items():
        info = model.model_fields[fieldname]
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
    # An initial value may lie behind an output that starts at zero.
    states = [mixer.state_dict() for mixer in (before, after)]
    if states[0].keys() != states[1].keys() or not torch.equal(before(x), y):
        return True
    return any(t.shape != states[1][n].shape or not torch.equal(t, states[1][n]) for n, t in states[0].items())


CHECKS: dict[str, Check[Subject]] = {
    "shapes": _shapes,
    "starts": engine.starts,
    "borrowed layers": own_start,
    "no future": _no_future,
    "no neighbours": _no_neighbours,
    "no state": _no_state,
    "no randomness": _no_randomness,
    "input unchanged": _input_unchanged,
    "gradients": _gradients,
    "finite": _finite,
    "weights": _weights,
    "options used": _options_used,
    "rebuilds": engine.rebuilds,
    "engine": engine.as_autograd,
    "vmap": engine.vectorised,
    "compile": engine.compiles,
    "cuda": engine.on_cuda,
}

LEAK_CHECKS = ("no future", "no neighbours", "no state", "no randomness")
"""Without these a score means nothing: they run before every training."""


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
