"""What a mixer costs, as a person sees it in the terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchbed.reporting.wording import number, options_line

if TYPE_CHECKING:
    from benchbed.lab.profile.measure import MixerProfile

__all__ = ["mixer_tables"]


def mixer_tables(profile: "MixerProfile") -> RenderableType:
    """What a mixer is and what it costs."""
    facts = {
        "from": f"{profile.distribution} {profile.version}",
        "options": options_line(profile.options) or "none",
        "start": str(profile.start),
        "state": str(profile.state),
    }
    about = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        about.add_row(name, Text(value))
    table = Table(box=SIMPLE_HEAD)
    table.add_column("level", no_wrap=True)
    for column in ("tokens", "parameters", "mixer's", "FLOPs", "ms a step", "ratio"):
        table.add_column(column, justify="right")
    for row in profile.levels:
        costs = row.costs
        table.add_row(
            row.level,
            number(costs.sequence_length),
            number(costs.parameters),
            number(costs.mixer_parameters),
            number(costs.flops_per_token),
            f"{row.milliseconds:.1f}",
            "-" if row.ratio is None else f"{row.ratio:.2f}",
        )
    state = f" state: measured at width {profile.state.width}." if not isinstance(profile.state, str) else ""
    note = (
        f"Measured here at the default levels of track {profile.track}. FLOPs: a token, forward, of matrix products, "
        f"convolutions and triangular systems. ms: forward and backward pass of one member on one core; ratio: to "
        f"{profile.baseline or 'nothing, the track has no baseline'}, in turns with it.{state}"
    )
    heading = Text.assemble((profile.name, "bold"), f"  {profile.description}")
    return Group(heading, about, table, Text(note, "dim"))
