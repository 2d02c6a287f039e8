"""The experiments of arXiv 2606.25010 as sweeps and traces, each with the claim that it tests and how.

The paper leaves learning rate, warm-up, initialisation and batch open: those are the track's. `full` runs the paper's
sizes on the track `standard`, with the rate tuned for every cell; `medium` small ones on `lite`, tuned as well, in an
hour or two on two CPU cores; `quick` small ones at one fixed rate, in about ten minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from torch import nn

from benchbed.config.request import RunRequest
from benchbed.lab.paper.claims import Samples, Verdict, judge_fall, judge_middle, judge_returns, judge_rise
from benchbed.lab.profile.state import measure_state
from benchbed.lab.sweep.cells import Cell, Sweep
from benchbed.results.scoring import restricted
from benchbed.runs.execute import PlannedRun
from benchbed.training.seeding import seeded_globally

__all__ = ["FIGURES", "Experiment", "Measure", "Part", "Scale", "lines_of", "names_of", "numbers_of"]

Measure = Literal["final_loss", "plateau_end", "steps"]
"""Final held-out loss as a share of chance, a diverged seed counting 1; min(plateau end, budget); or min(steps to
solve, budget).
"""
Scale = Literal["quick", "medium", "full"]

_ATTENTION, _TOKEN_MLP = "multi_head_attention", "mlp_mixer"
_QUICK = RunRequest(_ATTENTION, "linear_map", "lite", learning_rate=1e-3, checked=False)
_MEDIUM = RunRequest(_ATTENTION, "linear_map", "lite", seeds=8, checked=False)
_FULL = RunRequest(_ATTENTION, "linear_map", "standard", checked=False)


class Part(NamedTuple):
    """One sweep of an experiment; its cells are one line of the figure."""

    label: str
    sweep: Sweep


@dataclass(frozen=True)
class Experiment:
    """One figure: what the paper says of it, and what is measured to see whether that holds."""

    claim: str
    measure: Measure
    judge: Callable[[Sequence[Samples]], Verdict]
    """What the claim says of the measure along `x`, as a test."""
    x: str
    """The option on the horizontal axis, as `task.sparsity`; or `mixer`, in the order of the sweep."""
    x_label: str
    quick: tuple[Part, ...]
    full: tuple[Part, ...]
    medium: tuple[Part, ...] = ()
    """Empty where nobody has asked for it."""
    note: str = ""
    """What a reader must know of the design."""
    paper: str = "arXiv 2606.25010"
    by_state: bool = False
    """Mixers stand at the measured size of their state on the horizontal axis, and not in the order of the sweep."""


def numbers_of(experiment: Experiment, part: Part, cell: Cell) -> dict[str, Any]:
    """One row of an experiment's numbers: where a finished cell stands, and what each of its seeds came to.

    Args:
        experiment: whose they are.
        part: the line that the cell is on.
        cell: finished.
    """
    assert cell.result is not None
    state = {"state": _state_of(cell.run)} if experiment.by_state else {}
    budget, chance = cell.result.config.budget.steps, cell.result.chance_loss
    losses = [1.0 if row.final_loss is None else row.final_loss / chance for row in cell.result.members]
    return {
        "line": part.label,
        **cell.values,
        **state,
        "steps": cell.result.restricted_steps,
        "plateau_end": [restricted(row.plateau_end, budget) for row in cell.result.members],
        "final_loss": [float(f"{loss:.5g}") for loss in losses],
    }


def _state_of(run: PlannedRun) -> int:
    """Numbers that all layers carry over from the first half of a sequence."""
    half, sizes = run.task.length // 2, run.config.backbone

    def build(dim: int, length: int) -> nn.Module:
        with seeded_globally(0, "weights"):
            return run.recipe.mixer(dim, length, **run.config.mixer.options)

    return measure_state(build, sizes.dim, (half - 1, half)).ranks[1] * sizes.layers


def lines_of(experiment: Experiment, numbers: Sequence[dict[str, Any]]) -> list[Samples]:
    """The lines of a figure from its numbers.

    Final losses below a hundredth of chance are equal: members stop when they solve, and how far below they are then
    says when they were stopped and not what they learned.
    """
    mixers = list(dict.fromkeys(row["mixer"] for row in numbers))
    floor = 0.01 if experiment.measure == "final_loss" else 0.0
    lines = []
    for label in dict.fromkeys(row["line"] for row in numbers):
        mine = [row for row in numbers if row["line"] == label]
        places = [_place(experiment, row, mixers) for row in mine]
        points = [(x, max(y, floor)) for x, row in zip(places, mine, strict=True) for y in row[experiment.measure]]
        lines.append(Samples(label, [float(x) for x, _ in points], [float(y) for _, y in points]))
    return lines


def names_of(experiment: Experiment, numbers: Sequence[dict[str, Any]]) -> dict[float, str]:
    """Which mixers stand at a place of the horizontal axis, where it is one of mixers; else nothing."""
    if experiment.x != "mixer":
        return {}
    mixers, names = list(dict.fromkeys(row["mixer"] for row in numbers)), dict[float, list[str]]()
    for row in numbers:
        known = names.setdefault(float(_place(experiment, row, mixers)), [])
        known += [row["mixer"]] if row["mixer"] not in known else []
    return {place: ", ".join(known) for place, known in names.items()}


def _place(experiment: Experiment, row: dict[str, Any], mixers: list[str]) -> float:
    if experiment.by_state:
        return row["state"]
    return mixers.index(row["mixer"]) if experiment.x == "mixer" else row[experiment.x]


def _quick(*grid: str, mixers: tuple[str, ...] = (_ATTENTION,), **changes: Any) -> Sweep:
    return Sweep(mixers, grid, replace(_QUICK, **changes))


def _medium(*grid: str, mixers: tuple[str, ...] = (_ATTENTION,), **changes: Any) -> Sweep:
    return Sweep(mixers, grid, replace(_MEDIUM, **changes))


def _full(*grid: str, mixers: tuple[str, ...] = (_ATTENTION,), **changes: Any) -> Sweep:
    return Sweep(mixers, grid, replace(_FULL, **changes))


def _size(size: int, ones: str) -> tuple[str, str]:
    return f"task.state_size={size}", f"task.sparsity={ones}"


def _pairs(number: int, **changes: Any) -> dict[str, Any]:
    """So many keys, each of them in every sequence, and each asked for once."""
    sizes = {"pairs": number, "queries": number, "keys": number, "values": number}
    return {"task": "associative_recall", "task_options": {**sizes, "order": "power_law"}, **changes}


_STATES = ("lstm", "gated_linear_attention", "linear_rnn", "linear_attention", "delta_net", "retention")
_STATES += ("gated_delta_net", _ATTENTION)
_WIDTH = "backbone.dim,backbone.mlp_dim"
_TIED = f"mixer.heads,{_WIDTH}"
_BOTH = (_ATTENTION, _TOKEN_MLP)

FIGURES: dict[str, Experiment | None] = {
    # Losses of single outputs, and no sweep: see `benchbed.lab.paper.claims.judge_abruptness`.
    "fig3": None,
    "fig4-linear-map": Experiment(
        claim="The denser the pattern, the harder it is to learn: the final loss rises with s at every S.",
        measure="final_loss",
        judge=judge_rise,
        x="task.sparsity",
        x_label="ones a row, s",
        quick=tuple(
            Part(f"S = {size}", _quick(*_size(size, ones), seeds=4, max_steps=1000))
            for size, ones in ((6, "1..3"), (8, "1..4"), (12, "1..5"))
        ),
        full=tuple(
            Part(f"S = {size}", _full(*_size(size, ones)))
            for size, ones in ((8, "1..7"), (16, "1..15"), (32, "1..31"))
        ),
        note="quick stops near half of S: a denser row is the parity of all bits and of a few, which is another task",
    ),
    "fig4-middle": Experiment(
        claim="At a fixed S patterns of medium density are the hardest: most steps are needed near s = S / 2.",
        measure="steps",
        judge=judge_middle,
        x="task.sparsity",
        x_label="ones a row, s",
        quick=(Part("S = 6", _quick("task.state_size=6", "task.sparsity=1..5", seeds=6, max_steps=1000)),),
        medium=(Part("S = 8", _medium("task.state_size=8", "task.sparsity=1..7", max_steps=4000)),),
        full=tuple(Part(f"S = {size}", _full(*_size(size, ones))) for size, ones in ((8, "1..7"), (16, "1..15"))),
    ),
    "fig4-automata": Experiment(
        claim="The more cells a cell depends on, the harder the automaton: the final loss rises with its depth k.",
        measure="final_loss",
        judge=judge_rise,
        x="task.depth",
        x_label="depth k (2k+1 parents)",
        quick=(Part("pool", _quick("task.depth=1..3", task="cellular_automata", seeds=6, max_steps=600)),),
        full=(Part("pool", _full("task.depth=1..4", task="cellular_automata")),),
        note="the final loss of an automaton is not near zero even when it is solved: early states are ambiguous",
    ),
    "fig4-plateau": Experiment(
        claim="The longer the context, the longer the plateau: its end comes later with S at the same s.",
        measure="plateau_end",
        judge=judge_rise,
        x="task.state_size",
        x_label="state size S",
        quick=(Part("s = 3", _quick("task.sparsity=3", "task.state_size=5,8,12,16", seeds=6, max_steps=2000)),),
        medium=(Part("s = 3", _medium("task.sparsity=3", "task.state_size=5,8,12,16", max_steps=4000)),),
        full=tuple(
            Part(f"s = {ones}", _full(f"task.sparsity={ones}", "task.state_size=8,16,32,64")) for ones in (3, 5)
        ),
        note="a step has the same number of tokens at every S, and so fewer sequences at a larger one",
    ),
    "fig5-heads": Experiment(
        claim="More heads learn more, at a fixed width and at a fixed head dimension: the final loss falls.",
        measure="final_loss",
        judge=judge_fall,
        x="mixer.heads",
        x_label="heads",
        quick=(
            Part("width 64", _quick("mixer.heads=1,2,4,8,16", seeds=6, max_steps=1000)),
            Part("head dimension 8", _quick(f"{_TIED}=1:8:32,2:16:64,4:32:128,8:64:256", seeds=6, max_steps=1000)),
        ),
        medium=(
            Part("width 64", _medium("mixer.heads=1,2,4,8,16", seeds=16)),
            Part("head dimension 8", _medium(f"{_TIED}=1:8:32,2:16:64,4:32:128,8:64:256", seeds=16)),
        ),
        full=(
            Part("width 128", _full("mixer.heads=1,2,4,8,16,32")),
            Part("head dimension 16", _full(f"{_TIED}=1:16:64,2:32:128,4:64:256,8:128:512,16:256:1024")),
        ),
        note="at a fixed head dimension the whole model grows with the heads",
    ),
    "fig5-dimension": Experiment(
        claim="Past a minimum a larger head dimension brings little: the final loss falls by less from there on.",
        measure="final_loss",
        judge=judge_returns,
        x="backbone.dim",
        x_label="width of four heads",
        quick=(
            Part(
                "4 heads", _quick("mixer.heads=4", f"{_WIDTH}=4:16,8:32,16:64,32:128,64:256", seeds=8, max_steps=1000)
            ),
        ),
        medium=(Part("4 heads", _medium("mixer.heads=4", f"{_WIDTH}=8:32,16:64,32:128,64:256,128:512", seeds=16)),),
        full=(Part("8 heads", _full("mixer.heads=8", f"{_WIDTH}=16:64,32:128,64:256,128:512,256:1024")),),
        note="at a fixed number of heads the whole model grows with their dimension",
    ),
    "fig6-mixer": Experiment(
        claim="Where patterns are complex, the MLP-Mixer learns what attention does not: its final loss is lower.",
        measure="final_loss",
        judge=judge_fall,
        x="mixer",
        x_label="mixer",
        quick=tuple(
            Part(f"S = {size}, s = 4", _quick(*_size(size, "4"), mixers=_BOTH, seeds=8, max_steps=1500))
            for size in (12, 16)
        ),
        medium=(Part("S = 12, s = 4", _medium(*_size(12, "4"), mixers=_BOTH, seeds=16, max_steps=10_000)),),
        full=tuple(Part(f"s = {ones}", _full(f"task.sparsity={ones}", mixers=_BOTH)) for ones in (5, 7)),
    ),
    "recall-state": Experiment(
        claim="The more a mixer carries over, the more it recalls: the final loss falls with the size of its state.",
        measure="final_loss",
        judge=judge_fall,
        x="mixer",
        x_label="measured state, numbers",
        quick=tuple(
            Part(
                f"{number} pairs",
                _quick(
                    mixers=_STATES,
                    seeds=4,
                    max_steps=1500,
                    learning_rate=3e-3,
                    **_pairs(number),
                ),
            )
            for number in (4, 8)
        ),
        full=tuple(Part(f"{number} pairs", _full(mixers=_STATES, **_pairs(number))) for number in (8, 16, 32)),
        note="no experiment of the paper; state and recall are of models of one width, and differ in much beside it",
        paper="arXiv 2312.04927",
        by_state=True,
    ),
}
