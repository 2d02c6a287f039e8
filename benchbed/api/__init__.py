"""What a notebook calls: the same functions as the command line's, with values in place of text.

Runs lie in the same folders as those of the command line, so that one begun here goes on in a terminal, and the other
way round. Nothing is printed.
"""

from benchbed.api.reading import (
    compare,
    compare_levels,
    list_mixers,
    list_tasks,
    list_tracks,
    load_board,
    load_overall,
    load_result,
)
from benchbed.api.training import check, run, sweep

__all__ = ["check", "compare", "compare_levels", "list_mixers", "list_tasks", "list_tracks", "load_board"]
__all__ += ["load_overall", "load_result", "run", "sweep"]
