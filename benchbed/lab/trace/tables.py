"""Traces and patches as a person sees them in the terminal."""

from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchbed.lab.trace.maps import Agreement
from benchbed.lab.trace.members import MemberTrace

if TYPE_CHECKING:
    from benchbed.lab.trace.patching import Patch

__all__ = ["patch_tables", "plateau_ends", "trace_row"]


def patch_tables(patch: "Patch") -> RenderableType:
    """What patterns carry, both ways."""
    title = Text(
        f"seed {patch.seed}: loss {patch.early_loss:.4f} at step {patch.early_step:,}, "
        f"{patch.late_loss:.4f} at step {patch.late_step:,}",
        style="bold",
    )
    table = Table(box=SIMPLE_HEAD)
    columns = ("patterns of", "late into early: loss", "gap recovered", "early into late: loss", "gap lost")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for late, early in zip(patch.into_early, patch.into_late, strict=True):
        name = "all heads" if late.layer is None else f"layer {late.layer + 1}, head {(late.head or 0) + 1}"
        table.add_row(
            name, f"{late.loss:.4f}", f"{late.recovered:.1%}", f"{early.loss:.4f}", f"{early.recovered:.1%}"
        )
    return Group(title, table)


def trace_row(member: MemberTrace) -> dict[str, Any]:
    """One line of the table that `benchbed trace` ends with."""
    row = member.row
    first = member.jumps[0].begin if member.jumps else None
    return {
        "seed": row.seed,
        "solved at": row.steps or row.status,
        "plateau end": row.plateau_end or "never",
        "jumps": f"{len(member.jumps)}" + ("" if first is None else f", first after step {first:,}"),
        "parents found by influence": _found(member.influence),
        "by mixing weights": _found(member.mixing),
        "reads later tokens": _later(member.influence),
    }


def _found(seen: dict[int, Agreement]) -> str:
    if not seen:
        return "no such map"
    *_, last = seen.values()
    low, high = last.chance_range
    return f"{last.overlap:.0%} (chance {last.chance:.0%}, {low:.0%}-{high:.0%})"


def _later(seen: dict[int, Agreement]) -> str:
    share = max((each.later for each in seen.values()), default=0.0)
    return f"YES, {share:.0%} of the map" if share > 1e-6 else "no"


def plateau_ends(traced: list[MemberTrace]) -> dict[str, Any]:
    """When each seed left the plateau, by the seed's name."""
    return {f"seed {member.row.seed}": member.row.plateau_end or "never" for member in traced}
