"""What `benchbed list` shows, as plain rows; imports no plug-in and no torch."""

from typing import Any, get_args

from benchbed.errors import BenchbedError
from benchbed.plugins.registry import Kind, Plugin, plugins

__all__ = ["list_installed", "list_plugins"]


def list_plugins(kind: Kind) -> list[dict[str, Any]]:
    """One row a mixer, task or capability; a plug-in whose name is taken is listed under `distribution:name`."""
    return [
        {
            "name": p.label,
            "distribution": p.distribution,
            "version": p.version,
            "description": p.unavailable or p.description,
        }
        for p in plugins(kind)
    ]


def list_installed(load: bool) -> list[dict[str, Any]]:
    """One row a plug-in of any kind, with its status; built-ins included.

    Args:
        load: import each and resolve its options, so that the status says whether it works.
    """
    rows = []
    for kind in get_args(Kind):
        installed = plugins(kind)
        for plugin in installed:
            status = _loading(plugin) if load else _standing(plugin, installed)
            row = {"name": plugin.name, "kind": kind, "distribution": plugin.distribution, "version": plugin.version}
            rows.append({**row, "status": status})
    return rows


def _standing(plugin: Plugin, installed: list[Plugin]) -> str:
    """Whether the plain name finds it, and this machine has what it needs."""
    if plugin.unavailable:
        return plugin.unavailable
    rivals = [p.distribution for p in installed if p.name == plugin.name and p != plugin]
    if not rivals or plugin.built_in:
        return "built-in" if plugin.built_in else "ok"
    why = "the name is reserved" if any(p.built_in and p.name == plugin.name for p in installed) else ""
    return f"{why or 'the name is taken by ' + ' and '.join(rivals)}; use '{plugin.label}'"


def _loading(plugin: Plugin) -> str:
    if plugin.unavailable:
        return plugin.unavailable
    try:
        plugin.resolve({})
    except BenchbedError as error:
        return f"broken: {error}"
    except Exception as error:  # one plug-in, however odd, costs its own line and nothing else
        return f"broken: {type(error).__name__}: {' '.join(str(error).split())}"
    return "loads"
