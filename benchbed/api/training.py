"""What trains or tries a mixer: `run`, `sweep` and `check`."""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchbed.errors import OptionError
from benchbed.plugins.registry import name_of

if TYPE_CHECKING:
    from benchbed.checks.findings import Finding
    from benchbed.config.tracks import Track
    from benchbed.results.result import Result
    from benchbed.runs.progress import Progress

__all__ = ["check", "run", "sweep"]

Options = Mapping[str, Any]


def run(
    mixer: str | type,
    task: str | type,
    *,
    track: "str | Track | None" = None,
    mixer_options: Options | None = None,
    task_options: Options | None = None,
    match_parameters: int | None = None,
    match_by: str | None = None,
    seeds: int | None = None,
    max_steps: int | None = None,
    learning_rate: float | None = None,
    checked: bool = True,
    device: str = "auto",
    engine: Literal["auto", "graph", "vmap", "loop"] = "auto",
    compiled: bool | None = None,
    tf32: bool = False,
    out: str | PathLike[str] = "runs",
    retrain: bool = False,
    observe: "Callable[[Progress], None] | None" = None,
) -> "Result":
    """Score a mixer on a task: tune the learning rate, train every seed, write the result.

    A run that is finished is read and not repeated; one that was interrupted goes on.

    Args:
        mixer: a name of `list_mixers()`, `"package.module:Class"`, or a class that can be imported.
        task: a name of `list_tasks()`, `"name@level"`, or a class that can be imported.
        track: a name of `list_tracks()`, the path of a track file, or a `Track`; None is `standard` with CUDA, else
            `lite`. Only a name is ranked.
        mixer_options: of the mixer, values or text.
        task_options: of the task, in place of single options of the level; unranked.
        match_parameters: size the model for this many parameters, by its width and channel MLP (unranked) ...
        match_by: ... or by this option of the mixer (ranked).
        seeds: scored seeds; unranked if not the track's number.
        max_steps: budget in training steps; unranked if not the track's.
        learning_rate: train at this rate and tune nothing; unranked.
        checked: look for leaks before training; without, it is unranked.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        engine: how members train side by side; `auto` is `graph` on CUDA, else `loop`.
        compiled: use torch.compile; None is by a rule, where it pays.
        tf32: make matrix products in TF32, on CUDA: faster, less exact, and said by the result.
        out: the folder of all runs.
        retrain: train again what is finished or begun.
        observe: told where training stands, before a stage's first step and after every evaluation; must be quick.

    Returns:
        The result, with `summary`, `members` and `tuning`; `rows()` gives one dictionary a seed.

    Raises:
        BenchbedError: something does not exist, does not fit together, fails, or cannot be written; its text says
            what was expected, what was found, and what to do.
    """
    from benchbed.config.request import RunRequest
    from benchbed.runs.execute import execute, prepare
    from benchbed.runs.matching import plan_at_size
    from benchbed.training.devices import find_device
    from benchbed.training.engine import EngineSettings

    request = RunRequest(
        mixer=name_of("mixer", mixer),
        task=name_of("task", task),
        track=track,
        mixer_options=mixer_options or {},
        task_options=task_options or {},
        seeds=seeds,
        max_steps=max_steps,
        learning_rate=learning_rate,
        tf32=tf32,
        checked=checked,
    )
    found = find_device(device)
    config = plan_at_size(request, found.type, match_parameters, match_by)
    settings = EngineSettings(engine, found, compiled)
    return execute(prepare(config, Path(out)), settings, observe or (lambda _: None), retrain=retrain).result


def sweep(
    mixer: str | type | Iterable[str | type],
    task: str | type,
    *,
    grid: Mapping[str, Iterable[Any]],
    track: str = "lite",
    mixer_options: Options | None = None,
    task_options: Options | None = None,
    seeds: int | None = None,
    max_steps: int | None = None,
    learning_rate: float | None = None,
    checked: bool = True,
    device: str = "auto",
    compiled: bool | None = None,
    out: str | PathLike[str] | None = None,
    observe: "Callable[[Progress], None] | None" = None,
) -> list[dict[str, Any]]:
    """Run mixers over a grid of options, and give one tidy row a seed.

    Args:
        mixer: one or several; see `run`.
        task: see `run`.
        grid: values by option, `{"task.sparsity": [1, 2, 3]}`; the owners are `task`, `mixer` and `backbone`. Options
            that change together share a key: `{"mixer.heads,backbone.dim": [(1, 8), (2, 16)]}`.
        track: a name, or the path of a track file.
        mixer_options: the same in every cell.
        task_options: the same in every cell.
        seeds: see `run`, as are `max_steps`, `learning_rate`, `checked`, `device`, `compiled` and `observe`.
        max_steps: budget in training steps.
        learning_rate: train at this rate; None tunes it in every cell.
        checked: look for leaks before training.
        device: where to train.
        compiled: use torch.compile; None is by a rule, where it pays.
        out: the sweep's folder, for `sweep.csv` and `sweep.yaml`; by default `sweeps/<task>-<hash>`. A sweep that was
            interrupted goes on in it.
        observe: told where training stands.

    Returns:
        The rows of `sweep.csv`: for every seed of a finished cell the columns of `Result.rows()` and the cell's
        options; for a cell that is impossible or failed, one row with its `problem`.

    Raises:
        BenchbedError: no cell is possible, or a file cannot be written. A single cell that fails raises nothing.
    """
    from benchbed.config.request import RunRequest
    from benchbed.lab.sweep.cells import Sweep, batches, plan_cells, train
    from benchbed.lab.sweep.grid import axis_text
    from benchbed.lab.sweep.table import rows_of, write_tables
    from benchbed.training.devices import find_device
    from benchbed.training.engine import EngineSettings

    given = [mixer] if isinstance(mixer, str | type) else mixer
    mixers = tuple(name_of("mixer", each) for each in given)
    if not mixers:
        raise OptionError("mixer: expected at least one, found none")
    request = RunRequest(
        mixer=mixers[0],
        task=name_of("task", task),
        track=track,
        mixer_options=mixer_options or {},
        task_options=task_options or {},
        seeds=seeds,
        max_steps=max_steps,
        learning_rate=learning_rate,
        checked=checked,
    )
    asked = Sweep(mixers, tuple(axis_text(option, values) for option, values in grid.items()), request)
    folder, found = Path(out or Path("sweeps") / asked.name), find_device(device)
    cells = plan_cells(asked, found.type, folder)
    for batch in batches(cells):
        train(batch, EngineSettings("auto", found, compiled), observe or (lambda _: None))
        write_tables(asked, cells, folder)
    write_tables(asked, cells, folder)
    return rows_of(cells)


def check(
    mixer: str | type | None = None,
    *,
    task: str | type | None = None,
    options: Options | None = None,
    track: str = "lite",
) -> "list[Finding]":
    """Look for whatever would make the scores of a mixer or a task meaningless; nothing is trained.

    Args:
        mixer: see `run`; or None for a task.
        task: see `run`; or None for a mixer.
        options: of the mixer or task.
        track: whose sizes and levels are tried.

    Returns:
        One finding a check, with `check`, `status` (`passed`, `failed` or `note`) and `message`.

    Raises:
        BenchbedError: it cannot be checked, because it does not exist or cannot be loaded.
    """
    from benchbed.checks.examination import examine_mixer, examine_task

    if (mixer is None) == (task is None):
        raise OptionError("check: expected a mixer or a task, found both or neither")
    if task is not None:
        return list(examine_task(name_of("task", task), track, options or {}))
    return list(examine_mixer(name_of("mixer", mixer or ""), track, options or {}))
