"""`benchbed lm` from its arguments to tables, files and pictures, with progress on a console."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from benchbed.errors import LanguageModelError, OptionError
from benchbed.lm.cache import Asking
from benchbed.lm.emergence import (
    Emergence,
    GroupSummary,
    Metric,
    Pair,
    compare_groups,
    criterion,
    emergence,
    summarise_groups,
)
from benchbed.lm.family import Checkpoint, LanguageModel, find_checkpoint, find_models, on_disk
from benchbed.lm.heads import HeadEffects
from benchbed.lm.loading import load_tokenizer, threads_for
from benchbed.lm.measure import Measured, measure
from benchbed.plugins.registry import find, plugins
from benchbed.reporting.lines import Lines
from benchbed.reporting.live import say
from benchbed.storage.files import csv_text, write_text, write_yaml

__all__ = ["Found", "askings_of", "find_emergence", "find_heads"]


@dataclass(frozen=True)
class Found:
    """When models gained capabilities."""

    metric: Metric
    threshold: dict[str, float]
    """By capability, what the metric must reach."""
    seeds: list[Emergence]
    groups: list[GroupSummary]
    pairs: list[Pair]
    rows: list[dict[str, Any]]
    """One a model, step and capability."""
    notes: list[str]
    hint: str | None
    """The command that looks at the heads of the first seed that gained something."""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self)


def askings_of(names: Sequence[str], options: dict[str, str], prompts: int, seed: int) -> list[Asking]:
    """Capabilities by name, each with the options that it has.

    Args:
        names: of them; by default all that come with benchbed.
        options: as text, `copying.words=8`.
        prompts: how many of each.
        seed: of what is random about them.

    Raises:
        BenchbedError: one does not exist, or has no such option.
    """
    chosen = [find("capability", name) for name in names] or [one for one in plugins("capability") if one.built_in]
    given: dict[str, dict[str, str]] = {one.label: {} for one in chosen}
    for key, value in options.items():
        owner, _, option = key.rpartition(".")
        if owner not in given:
            raise OptionError(f"option '{key}': expected one of {', '.join(given)} before the dot, found '{owner}'")
        given[owner][option] = value
    return [Asking(one, one.resolve(given[one.label], text=True), prompts, seed) for one in chosen]


def find_emergence(
    names: Sequence[str],
    askings: Sequence[Asking],
    metric: Metric,
    threshold: float | None,
    out: Path,
    device: torch.device,
    console: Console,
) -> Found:
    """Measure every checkpoint of every model, and find the step at which each seed gained each capability.

    Args:
        names: of models; see `benchbed.lm.family`.
        askings: the capabilities.
        metric: which number says that one holds.
        threshold: that it must reach; by default half of the way from chance to one.
        out: for scores, `emergence.yaml`, `scores.csv` and `emergence.png`.
        device: where to compute.
        console: where progress goes.

    Raises:
        BenchbedError: a model cannot be found, fetched or measured, or a file cannot be written.
    """
    from benchbed.lm.figures import draw_emergence

    models, lines = find_models(names), Lines(console)

    def observe(checkpoint: Checkpoint, number: int, of: int) -> None:
        lines.tell(f"checkpoint {number:,} of {of:,}: {checkpoint.label}", number - 1, of)

    measured = measure(models, askings, out / "scores", device, observe)
    found = _find(measured, {model.name: model for model in models}, metric, threshold)
    options = {one.plugin.label: one.options for one in askings}
    prompts = {"prompts": askings[0].prompts, "prompt_seed": askings[0].seed}
    data = found.plain()
    rows = data.pop("rows")
    write_yaml(out / "emergence.yaml", {"schema_version": 1, **prompts, "capabilities": options, **data})
    write_text(out / "scores.csv", csv_text(rows))
    curves: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        curves.setdefault(row["capability"], {}).setdefault(row["model"], {})[row["step"]] = row[metric]
    draw_emergence(curves, found.seeds, found.groups, found.threshold, metric, out / "emergence.png")
    return found


def _find(measured: Measured, known: dict[str, LanguageModel], metric: Metric, threshold: float | None) -> Found:
    seeds, rows, reaching = list[Emergence](), list[dict[str, Any]](), dict[str, float]()
    for capability, models in measured.scored.items():
        chance = next(iter(next(iter(models.values())).values())).chance
        reaching[capability] = criterion(chance if metric == "accuracy" else 0.0, threshold)
        for model, steps in models.items():
            group, seed = known[model].group, known[model].seed
            found = emergence({step: one.score for step, one in steps.items()}, metric, reaching[capability])
            seeds.append(Emergence(model, group, seed, capability, **found))
            about = {"model": model, "group": group, "seed": seed, "capability": capability}
            rows += [
                {**about, "step": step, **steps[step].score._asdict(), "chance": steps[step].chance}
                for step in sorted(steps)
            ]
    return Found(
        metric,
        reaching,
        seeds,
        summarise_groups(seeds),
        compare_groups(seeds),
        rows,
        measured.notes,
        _hint(seeds, known),
    )


def _hint(seeds: Sequence[Emergence], known: dict[str, LanguageModel]) -> str | None:
    for one in seeds:
        if one.step is not None and one.after is not None:
            by_step = {checkpoint.step: checkpoint.argument for checkpoint in known[one.model].checkpoints}
            return f"benchbed lm heads {by_step[one.after]} {by_step[one.step]} -c {one.capability}"
    return None


def find_heads(
    early: str,
    late: str,
    other: str | None,
    asking: Asking,
    together: int,
    out: Path,
    device: torch.device,
    console: Console,
) -> HeadEffects:
    """Put a later checkpoint's attention patterns into an earlier one, head by head and together.

    Args:
        early: a checkpoint, `folder/step100` or `organisation/model@step100`.
        late: a later one of the same model.
        other: a late one of another seed, for a control.
        asking: the capability.
        together: the most heads at once.
        out: for a `.yaml` and a `.png`.
        device: where to compute.
        console: where progress goes.

    Raises:
        BenchbedError: a checkpoint cannot be found, fetched or read, or its attention cannot be exchanged.
    """
    from benchbed.lm.attention import pattern_model
    from benchbed.lm.figures import draw_heads
    from benchbed.lm.heads import head_effects
    from benchbed.lm.prompts import ask

    loaded, questions = list[tuple[str, nn.Module]](), None
    for name in filter(None, (early, late, other)):
        checkpoint = find_checkpoint(name)
        with on_disk(checkpoint) as folder:
            asked = ask(asking.plugin, asking.options, load_tokenizer(folder), asking.prompts, asking.seed)
            if questions is not None and asked.hash != questions.hash:
                raise LanguageModelError(f"{name}: expected the tokenizer of {early}, found one that reads otherwise")
            questions = asked
            loaded.append((checkpoint.argument, pattern_model(folder, device, asked)))
    assert questions is not None
    first, second, *more = loaded
    lines = Lines(console)

    def observe(done: int, of: int) -> None:
        lines.tell(f"{done:,} of {of:,} exchanges", done, of)

    with threads_for(first[1]):
        found = head_effects(first, second, more[0] if more else None, questions, together, observe)
    names = [name.replace("/", "-") for name in (asking.plugin.name, found.early, Path(found.late).name)]
    path = out / "-".join(names)
    write_yaml(path.with_name(f"{path.name}.yaml"), {"schema_version": 1, "options": asking.options, **found.plain()})
    draw_heads(found, path.with_name(f"{path.name}.png"))
    say(console, f"{path}.yaml and .png written")
    return found
