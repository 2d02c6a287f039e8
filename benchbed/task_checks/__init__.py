"""The checks of a task, under the name by which plug-in authors know them."""

from benchbed.checks.task import TASK_CHECKS, TaskSubject, check_task, conformance_tests, task_conformance

__all__ = ["TASK_CHECKS", "TaskSubject", "check_task", "conformance_tests", "task_conformance"]
