"""The commands about language models: `benchbed lm emergence`, `heads` and `train`; they need the extra `lm`."""

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from benchbed.cli.arguments import Csv, Device, Json, TimeLimit, parse_assignments
from benchbed.cli.terminal import console, going_on, only_json, print_csv, print_json
from benchbed.errors import LanguageModelError

__all__ = ["lm"]

lm = typer.Typer(
    help="Language models: when seeds gain a capability, and which heads carry it.", no_args_is_help=True
)

Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="CAPABILITY.KEY=VALUE", help="Of a capability; repeat.")
]
Prompts = Annotated[int, typer.Option(min=2, help="Prompts of each capability.")]
PromptSeed = Annotated[int, typer.Option(min=0, help="Of what is random about prompts.")]
Out = Annotated[Path, typer.Option(help="Folder for scores and findings.")]


class Metric(StrEnum):
    """What says that a capability holds."""

    accuracy = "accuracy"
    greedy = "greedy"
    probability = "probability"


@lm.callback()
def _need_libraries() -> None:
    if find_spec("transformers") is None:
        raise LanguageModelError("expected transformers, found none; pip install 'benchbed[lm]'")


@lm.command()
def emergence(
    models: Annotated[
        list[str], typer.Argument(help="Hub ids with revisions step<N>, or folders; m-seed1..9 is nine.")
    ],
    capability: Annotated[
        list[str] | None, typer.Option("--capability", "-c", help="Which; repeat.", show_default="every built-in")
    ] = None,
    option: Options = None,
    prompts: Prompts = 200,
    prompt_seed: PromptSeed = 0,
    metric: Annotated[Metric, typer.Option(help="What says that a capability holds.")] = Metric.accuracy,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="That it must reach.", show_default="half way from chance to one"),
    ] = None,
    out: Out = Path("lm"),
    device: Device = "auto",
    time_limit: TimeLimit = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Find the step at which every seed gains every capability; a checkpoint that was asked is not asked again."""
    from benchbed.lm.job import askings_of, find_emergence
    from benchbed.lm.tables import group_table, pair_table, seed_table
    from benchbed.reporting.live import say
    from benchbed.training.devices import find_device

    data = as_json or as_csv
    screen, found_device = console(stderr=data), find_device(device)
    askings = askings_of(capability or [], parse_assignments(option, "--option"), prompts, prompt_seed)
    with going_on(time_limit), only_json(data):
        found = find_emergence(models, askings, metric.value, threshold, out, found_device, screen)
    for note in found.notes:
        say(screen, f"note: {note}")
    if as_json:
        print_json(found.plain())
        return
    if as_csv:
        print_csv(found.rows)
        return
    screen.print(seed_table(found.seeds))
    screen.print(group_table(found.groups))
    if found.pairs:
        screen.print(pair_table(found.pairs))
    say(screen, f"{out / 'emergence.yaml'}, scores.csv and emergence.png written")
    if found.hint is not None:
        say(screen, f"which heads carry it: {found.hint}")


@lm.command()
def heads(
    early: Annotated[str, typer.Argument(help="Checkpoint before the capability: folder/step100, or model@step100.")],
    late: Annotated[str, typer.Argument(help="A later one of the same model.")],
    capability: Annotated[str, typer.Option("--capability", "-c", help="Which.")],
    other: Annotated[str | None, typer.Option(help="Late checkpoint of another seed, for a control.")] = None,
    option: Options = None,
    prompts: Prompts = 200,
    prompt_seed: PromptSeed = 0,
    together: Annotated[int, typer.Option(min=1, help="The most heads at once.")] = 8,
    out: Out = Path("lm"),
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Put later attention patterns into an earlier checkpoint, head by head: how much likelier is the answer?"""
    from benchbed.lm.job import askings_of, find_heads
    from benchbed.lm.tables import head_tables
    from benchbed.training.devices import find_device

    screen, found_device = console(stderr=as_json), find_device(device)
    (asking,) = askings_of([capability], parse_assignments(option, "--option"), prompts, prompt_seed)
    with only_json(as_json):
        found = find_heads(early, late, other, asking, together, out, found_device, screen)
    if as_json:
        print_json(found.plain())
        return
    for table in head_tables(found):
        screen.print(table)


@lm.command()
def train(
    seeds: Annotated[int, typer.Option(min=1, help="How many models.")] = 10,
    name: Annotated[str, typer.Option(help="They are called <name>-seed<N>.")] = "tiny",
    out: Annotated[Path, typer.Option(help="Where their folders go.")] = Path("lm/models"),
    steps: Annotated[int, typer.Option(min=2, help="Of training.")] = 3000,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    dim: Annotated[int, typer.Option(min=8, help="Width.")] = 64,
    layers: Annotated[int, typer.Option(min=1, help="Layers.")] = 2,
    heads_: Annotated[int, typer.Option("--heads", min=1, help="Heads of a layer.")] = 4,
    learning_rate: Annotated[float, typer.Option(min=1e-6, max=1, help="After the warm-up.")] = 3e-3,
    time_limit: TimeLimit = None,
) -> None:
    """Train tiny GPT-NeoX models that differ in their seed on a text that repeats itself; nothing is downloaded."""
    from benchbed.lm.tiny.job import train_models
    from benchbed.lm.tiny.train import TinySettings
    from benchbed.reporting.live import say

    settings = TinySettings(steps, every, dim, layers, heads_, learning_rate=learning_rate)
    screen = console()
    with going_on(time_limit):
        train_models(settings, range(seeds), name, out, screen)
    say(screen, f"{seeds} models in {out}; next: benchbed lm emergence {out}")
