"""Without a GPU, Triton's kernels run in its interpreter: for tests/mixers/test_fla.py.

`conftest.py` imports this before anything of benchbed, because Triton reads the variable when it is imported, and
torch imports it for some of its own functions. With `pytest -n` a worker has it from the process that starts it,
whatever the order.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
