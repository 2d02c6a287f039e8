"""One `benchbed sweep` from its plan to its tables and pictures, with progress on a console."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from benchbed.lab.sweep.cells import Batch, Cell, Sweep, batches, plan_cells, train
from benchbed.lab.sweep.grid import parse_axes
from benchbed.lab.sweep.table import write_tables
from benchbed.reporting.live import Backend, Reporter, say
from benchbed.results.result import load_result
from benchbed.training.devices import find_device
from benchbed.training.engine import EngineSettings

__all__ = ["run_sweep"]


def run_sweep(
    sweep: Sweep, out: Path, device: str, backend: Backend, console: Console, *, compiled: bool | None = None
) -> list[Cell]:
    """Plan, train, write and draw.

    Args:
        sweep: what was asked for.
        out: its folder.
        device: as the user names it.
        backend: where cells are trained.
        console: where progress goes.
        compiled: use torch.compile; None is by a rule, where it pays.

    Returns:
        The cells; those with a result have their files in `out`.

    Raises:
        BenchbedError: no cell is possible, or a file cannot be written.
    """
    found = find_device(device)
    cells = plan_cells(sweep, found.type, out)
    waiting = batches(cells)
    impossible = [cell for cell in cells if cell.status == "impossible"]
    say(console, f"{len(cells)} cells, {len(impossible)} of them impossible; {len(waiting)} shapes train one by one")
    write_tables(sweep, cells, out)
    reporter, done = Reporter(console), 0
    with reporter.watching():
        for batch in _train(waiting, EngineSettings("auto", found, compiled), backend, reporter):
            write_tables(sweep, cells, out)
            for cell in batch:
                done += 1
                say(console, f"{done} of {len(cells) - len(impossible)}: {_line(cell)}")
    for cell in cells:
        if cell.problem:
            console.print(f"{cell.status}: {_name(cell)}: {cell.problem}", style="red", soft_wrap=True, markup=False)
    say(console, f"{out / 'sweep.csv'} and {out / 'sweep.yaml'} written")
    if any(cell.result for cell in cells):
        from benchbed.lab.sweep.figures import draw_sweep

        for path in draw_sweep(cells, parse_axes(sweep.grid), out):
            say(console, f"{path} drawn")
    return cells


def _train(waiting: list[Batch], engine: EngineSettings, backend: Backend, reporter: Reporter) -> Iterator[Batch]:
    """Give batches as they are done with."""
    if backend == "ray":
        from benchbed.runs.ray import train_on_ray

        cells = {cell.run: cell for batch in waiting for cell in batch}
        for run, problem in train_on_ray(list(cells), engine):
            cells[run].problem = problem
            cells[run].result = None if problem else load_result(run.folder)
            yield [cells[run]]
        return
    for batch in waiting:
        train(batch, engine, reporter.observe)
        yield batch


def _line(cell: Cell) -> str:
    if cell.result is None:
        return f"{_name(cell)}: {cell.problem}"
    summary = cell.result.summary
    return f"{_name(cell)}: {summary.solved}/{summary.seeds} solved, mean steps {summary.mean_steps:,.0f}"


def _name(cell: Cell) -> str:
    mixer, *rest = cell.values.items()
    return " ".join([str(mixer[1]), *(f"{key}={value}" for key, value in rest)])
