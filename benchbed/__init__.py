"""benchbed: how many training steps does a sequence mixer need to find the sparse pattern that a task hides?

    import benchbed

    result = benchbed.run("mlp_mixer", "linear_map")
    result.summary.mean_steps

Importing this package is cheap: torch is imported by the first function that needs it.
"""

from typing import TYPE_CHECKING, Any

from benchbed.contracts import Mixer, OptionError, Task
from benchbed.errors import BenchbedError

if TYPE_CHECKING:  # for editors and type checkers, which see no `__getattr__`
    from benchbed.api import (
        check,
        compare,
        compare_levels,
        list_mixers,
        list_tasks,
        list_tracks,
        load_board,
        load_overall,
        load_result,
        run,
        sweep,
    )
    from benchbed.results.result import Result

__version__: str
__all__ = [
    "BenchbedError",
    "Mixer",
    "OptionError",
    "Result",
    "Task",
    "__version__",
    "check",
    "compare",
    "compare_levels",
    "list_mixers",
    "list_tasks",
    "list_tracks",
    "load_board",
    "load_overall",
    "load_result",
    "run",
    "sweep",
]

# Named by strings: an import here, even inside the function, would tie every module that asks for the version to all.
_PLACES = {"Result": "benchbed.results.result"}


def __getattr__(name: str) -> Any:
    """Look up what costs an import when it is asked for: even `importlib.metadata` slows down reading a board."""
    if name == "__version__":
        from importlib.metadata import version

        return version("benchbed")
    if name not in __all__:
        raise AttributeError(f"module 'benchbed' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_PLACES.get(name, "benchbed.api")), name)


def __dir__() -> list[str]:
    return __all__
