"""What `benchbed list` shows, as plain rows; imports no plug-in and no torch."""

from typing import Any

from benchbed.registry import Kind, plugins
from benchbed.tracks import load_track, track_names

__all__ = ["list_plugins", "list_tracks"]


def list_plugins(kind: Kind) -> list[dict[str, Any]]:
    """One row a mixer or task; a plug-in whose name is taken is listed under `distribution:name`."""
    return [
        {"name": p.label, "distribution": p.distribution, "version": p.version, "description": p.description}
        for p in plugins(kind)
    ]


def list_tracks() -> list[dict[str, Any]]:
    """One row a track."""
    rows = []
    for track in map(load_track, track_names()):
        levels = (f"{task}@{name}" for task, known in track.tasks.items() for name in known.levels)
        rows.append(
            {
                "name": track.name,
                "version": track.version,
                "levels": ", ".join(levels),
                "steps": track.budget.steps,
                "seeds": track.seeds.scoring,
                "description": track.description,
            }
        )
    return rows
