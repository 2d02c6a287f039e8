"""What `benchbed check` does: find a mixer or a task, and run the conformance checks at the sizes of the tracks."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchbed.checks.findings import Finding
from benchbed.checks.mixer import Subject, conformance
from benchbed.checks.task import TaskSubject, task_conformance
from benchbed.config.request import choose_level
from benchbed.config.tracks import Track, load_track, track_names
from benchbed.plugins.registry import find
from benchbed.training.seeding import generator

__all__ = ["examine_mixer", "examine_task"]


def examine_mixer(mixer: str, track: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Check a mixer at a track's width and default length, and its shapes at those of every published level.

    Args:
        mixer: a registered name, or `package.module:Class`.
        track: name or file.
        options: of the mixer, values or text.

    Raises:
        BenchbedError: there is no such mixer, or it cannot be loaded.
    """
    plugin = find("mixer", mixer)
    resolved = plugin.resolve(options, text=True)
    chosen = load_track(track)
    (dim, length), *_ = _sizes(chosen).values()
    levels = {f"{name} {level}": size for name in track_names() for level, size in _sizes(load_track(name)).items()}
    return conformance(Subject(plugin.load(), resolved, dim, length, levels))


def examine_task(task: str, track: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    """Check a task at a level of a track; one that the track does not know, at its own defaults.

    Args:
        task: a registered name or `package.module:Class`; `@level` may follow.
        track: name or file.
        options: of the task, values or text, instead of the level's.

    Raises:
        BenchbedError: there is no such task or level, or it cannot be loaded.
    """
    name, _, level = task.partition("@")
    plugin = find("task", name)
    _, _, resolved = choose_level(load_track(track), plugin, level, options)
    return task_conformance(TaskSubject(plugin.load(), resolved))


def _sizes(track: Track) -> dict[str, tuple[int, int]]:
    """Width and length of every level, default levels first."""
    sizes = {}
    for task, levels in track.tasks.items():
        plugin = find("task", task)
        for name in sorted(levels.levels, key=lambda name: name != levels.default):
            options = plugin.resolve(levels.levels[name].options)
            length = plugin.load()(generator(0, "instance"), **options).length
            sizes[f"{task}@{name}"] = (track.backbone.dim, length)
    return sizes
