"""The checks of a task, under the name by which plug-in authors know them."""

from benchbed.checks.task import TASK_CHECKS, TaskSubject, conformance_tests, task_conformance
from benchbed.training.validation import check_task

__all__ = ["TASK_CHECKS", "TaskSubject", "check_task", "conformance_tests", "task_conformance"]
