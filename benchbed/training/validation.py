"""One instance of a mixer or task meets its contract: what is asked before anything trains."""

import functools
from collections.abc import Callable, Iterator
from types import CellType, FunctionType, MethodType, ModuleType

import torch
from torch import Tensor, nn

from benchbed.contracts import Task, TaskWithOwnParents, TaskWithTargets
from benchbed.errors import PluginError
from benchbed.training.seeding import seeded_globally

__all__ = ["check_mixer", "check_output", "check_task", "parents_in", "targets_in", "tensors_of", "unregistered"]

_SAMPLES = 16


def check_output(make_mixer: Callable[[], nn.Module], dim: int, length: int) -> None:
    """Call a mixer once.

    Raises:
        PluginError: it is no module, or its output has another shape or type than its input.
    """
    with seeded_globally(0, "weights"):
        mixer = make_mixer()
    if not isinstance(mixer, nn.Module):
        raise PluginError(f"expected a torch.nn.Module, found {type(mixer).__name__}")
    x = torch.zeros(2, length, dim)
    with torch.no_grad():
        y = mixer(x)
    if not isinstance(y, Tensor) or y.shape != x.shape or y.dtype != x.dtype:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise PluginError(
            f"mixer {type(mixer).__name__}: expected an output of shape {tuple(x.shape)} and type {x.dtype} "
            f"(as its input), found {found}; mend its forward"
        )


def check_mixer(make_mixer: Callable[[], nn.Module], dim: int, length: int) -> None:
    """Call a mixer once, and build it again: what trains is what its author wrote, from a start of its seed's own.

    Raises:
        PluginError: its output is wrong, equal seeds give unequal weights, or it holds what no optimiser knows of.
    """
    check_output(make_mixer, dim, length)
    first, again, other = (_build(make_mixer, seed) for seed in (0, 0, 1))
    for (name, mine), theirs in zip(tensors_of(first).items(), tensors_of(again).values(), strict=True):
        if not torch.equal(mine, theirs):
            raise PluginError(
                f"expected equal weights from equal seeds, found that {name} differs; draw them from the global "
                "generator of torch, NumPy or Python, as it is"
            )
    with torch.no_grad():
        before = dict(unregistered(first))
        first(torch.zeros(2, length, dim))
    strangers = dict(unregistered(other))
    for place, found in unregistered(first):
        if found is not before.get(place):
            continue  # made anew by every forward, as an old weight norm does
        what = _hidden(found, strangers.get(place))
        if what:
            raise PluginError(f"{what} {place}; {_REGISTER}")


_REGISTER = (
    "register it (self.name = module, nn.ModuleList, nn.Parameter, register_buffer), or no optimiser trains it and "
    "members that train together share it"
)


def _hidden(found: object, other: object) -> str | None:
    """What a mixer keeps to itself and must not; a constant tensor it may."""
    if isinstance(found, nn.Module):
        held = [*found.parameters(), *found.buffers()]
        return "expected layers where torch finds them, found some in" if held else None
    if isinstance(found, nn.Parameter) or (isinstance(found, Tensor) and found.requires_grad):
        return "expected parameters where torch finds them, found one in"
    same = isinstance(found, Tensor) and isinstance(other, Tensor) and torch.equal(found, other)
    return (
        None
        if same or not isinstance(found, Tensor)
        else "expected buffers where torch finds them, found random numbers in"
    )


def unregistered(mixer: nn.Module) -> Iterator[tuple[str, object]]:
    """Tensors and modules that a module holds in lists, dictionaries, closures or attributes, with their places."""
    known = {id(t) for t in (*mixer.parameters(), *mixer.buffers(), *mixer.modules())}
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = []
    for name, module in mixer.named_modules():
        inner = {key: value for key, value in vars(module).items() if key not in _TORCHS_OWN}
        waiting += [(f"{name}.{key}".lstrip("."), value) for key, value in inner.items()]
    while waiting:
        place, value = waiting.pop()
        if id(value) in seen or id(value) in known:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor | nn.Module):
            yield place, value
        else:
            waiting += [(f"{place}{step}", inner) for step, inner in _inside(value)]


def _inside(value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [(f"[{key!r}]", inner) for key, inner in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [(f"[{number}]", inner) for number, inner in enumerate(value)]
    if isinstance(value, functools.partial):
        return [(" (partial)", (value.func, value.args, value.keywords))]
    if isinstance(value, MethodType):
        return [(" (bound to)", value.__self__)]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or () if cell != CellType()]
        return [(" (closure)", cells)]
    ours = type(value).__module__ not in ("builtins", "torch", "numpy") and not isinstance(value, type | ModuleType)
    return [(f".{key}", inner) for key, inner in getattr(value, "__dict__", {}).items()] if ours else []


_TORCHS_OWN = frozenset(vars(nn.Module()))


def _build(make_mixer: Callable[[], nn.Module], seed: int) -> nn.Module:
    with seeded_globally(seed, "weights"):
        return make_mixer()


def tensors_of(mixer: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, by name."""
    return {**dict(mixer.named_parameters()), **dict(mixer.named_buffers())}


def check_task(task: Task) -> None:
    """Look at an instance, and at a few sequences of it.

    Raises:
        PluginError: it breaks the contract of `benchbed.contracts.Task`.
    """
    length, vocabulary = task.length, task.vocabulary
    _expect(length >= 2 and vocabulary >= 2, "length and vocabulary of at least 2", (length, vocabulary))
    scored = task.scored
    _expect(_form(scored) == f"({length},) torch.bool on cpu", f"scored as bool ({length},) on cpu", _form(scored))
    _expect(bool(scored.any()) and not scored[0], "some scored tokens, token 0 not among them", scored.tolist())
    _expect(task.chance_loss > 0, "a chance_loss above 0", task.chance_loss)
    tokens = task.sample(_SAMPLES, torch.Generator().manual_seed(0))
    wanted = f"{(_SAMPLES, length)} torch.int64 on cpu"
    _expect(_form(tokens) == wanted, f"sample({_SAMPLES}, generator) to give {wanted}", _form(tokens))
    inside = bool(((tokens >= 0) & (tokens < vocabulary)).all())
    _expect(inside, f"tokens 0..{vocabulary - 1}", f"{int(tokens.min())}..{int(tokens.max())}")
    targets, wanted = targets_in(task, tokens), f"{(_SAMPLES, int(scored.sum()))} torch.int64 on cpu"
    _expect(_form(targets) == wanted, f"targets(tokens) to give {wanted}", _form(targets))
    inside = bool(((targets >= 0) & (targets < vocabulary)).all())
    _expect(inside, f"targets 0..{vocabulary - 1}", f"{int(targets.min())}..{int(targets.max())}")
    parents = parents_in(task, tokens)
    if parents is not None:
        shape = (1 if task.parents is not None else _SAMPLES, length, length)
        wanted = f"{shape} torch.bool on cpu"
        _expect(_form(parents) == wanted, f"parents as bool {shape[-2:]} on cpu, a sequence", _form(parents))
        _expect(not parents.triu().any(), "parents before their token", "some at it or after it")
        _expect(bool(parents[:, scored].any(-1).all()), "a parent for every scored token", "some without")
    verdict = task.solved(torch.ones(2, int(scored.sum())))
    _expect(verdict.tolist() == [True, True], "solved() to hold where every accuracy is 1", verdict.tolist())


def _form(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype} on {tensor.device.type}"


def _expect(holds: bool, expected: str, found: object) -> None:
    if not holds:
        raise PluginError(f"a task breaks its contract: expected {expected}, found {found}")


def targets_in(task: Task, tokens: Tensor) -> Tensor:
    """What the scored places of `tokens: (B, T)` ask for, `(B, N)`: those tokens, or the task's targets."""
    return task.targets(tokens) if isinstance(task, TaskWithTargets) else tokens[:, task.scored]


def parents_in(task: Task, tokens: Tensor) -> Tensor | None:
    """The parents in each sequence, `(1 or B, T, T)`, or None if the task declares none."""
    if task.parents is not None:
        return task.parents[None]
    return task.parents_of(tokens) if isinstance(task, TaskWithOwnParents) else None
