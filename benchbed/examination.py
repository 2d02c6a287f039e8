"""What `benchbed check` does: find a mixer, and run the conformance checks at the sizes of the tracks."""

from collections.abc import Iterator

from benchbed.checks import Finding, Subject, conformance
from benchbed.options import parse_assignments
from benchbed.registry import find, find_class
from benchbed.seeding import generator
from benchbed.tracks import Track, load_track, track_names

__all__ = ["examine"]


def examine(mixer: str, track: str, mixer_options: list[str]) -> Iterator[Finding]:
    """Check a mixer at a track's width and default length, and its shapes at those of every published level.

    Args:
        mixer: a registered name, or `package.module:Class`.
        track: name or file.
        mixer_options: `key=value` each.

    Raises:
        BenchbedError: there is no such mixer, or it cannot be loaded.
    """
    plugin = find_class("mixer", mixer)
    options = plugin.resolve(parse_assignments(mixer_options, "--mixer-option"), text=True)
    chosen = load_track(track)
    (dim, length), *_ = _sizes(chosen)
    sizes = tuple(size for name in track_names() for size in _sizes(load_track(name)))
    return conformance(Subject(plugin.load(), options, dim, length, sizes))


def _sizes(track: Track) -> list[tuple[int, int]]:
    """Width and length of every level, default levels first."""
    sizes = []
    for task, levels in track.tasks.items():
        plugin = find("task", task)
        for name in sorted(levels.levels, key=lambda name: name != levels.default):
            options = plugin.resolve(levels.levels[name].options)
            sizes.append((track.backbone.dim, plugin.load()(generator(0, "instance"), **options).length))
    return sizes
