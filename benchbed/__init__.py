"""benchbed: how many training steps does a token mixer need to find the sparse pattern that a task hides?

Importing this package is cheap: nothing here imports torch.
"""

from benchbed.contracts import Mixer, OptionError, Task
from benchbed.errors import BenchbedError

__version__: str
__all__ = ["BenchbedError", "Mixer", "OptionError", "Task", "__version__"]


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: importing `importlib.metadata` would slow down reading a board."""
    if name != "__version__":
        raise AttributeError(f"module 'benchbed' has no attribute '{name}'")
    from importlib.metadata import version

    return version("benchbed")
