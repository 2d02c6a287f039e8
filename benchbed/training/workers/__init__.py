"""Who takes members from one evaluation to the next: threads of this process, or processes of their own."""

from benchbed.training.engine import EngineSettings
from benchbed.training.fork_server import forks
from benchbed.training.recipe import Recipe
from benchbed.training.workers.crew import Crew, Report, Unit
from benchbed.training.workers.processes import ProcessCrew
from benchbed.training.workers.threads import ThreadCrew

__all__ = ["Crew", "Report", "Unit", "hire"]


def hire(recipe: Recipe, settings: EngineSettings) -> Crew:
    """Processes where members train one by one on a CPU, threads elsewhere; the numbers of a member are the same.

    A mixer that another process cannot import is trained in threads as well.
    """
    alone = settings.engine == "loop" and settings.device.type == "cpu"
    if alone and forks():
        try:
            return ProcessCrew(recipe, settings)
        except ChildProcessError:
            pass
    return ThreadCrew(recipe, settings)
