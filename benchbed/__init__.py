"""benchbed: how many training steps does a token mixer need to find the sparse pattern that a task hides?

Importing this package is cheap: nothing here imports torch.
"""

from importlib.metadata import version as _version

from benchbed.contracts import Mixer, OptionError, Task
from benchbed.errors import BenchbedError

__version__ = _version("benchbed")
__all__ = ["BenchbedError", "Mixer", "OptionError", "Task", "__version__"]
