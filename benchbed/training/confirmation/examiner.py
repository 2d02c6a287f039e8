"""Questions to a process that has seen no data, and that dies of the last answer.

Nothing stays of a question, nor of the code that answered it.
"""

import contextlib
import pickle
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from benchbed.plugins.imports import undisturbed
from benchbed.training.fork_server import Process, forks

__all__ = ["ask"]

Q = TypeVar("Q")
P = TypeVar("P")

_END = b""


def ask(answerer: Callable[[Q], Callable[[P], Any]], question: Q, parts: Iterable[P]) -> list[Any]:
    """What `answerer(question)` gives for each part in another process, which sees one when all before are answered.

    All of it is pickled, and so are the answers.

    Raises:
        ChildProcessError: there is no answer, from a second process either; the text says why.
    """
    messages = [pickle.dumps((answerer, question)), *(pickle.dumps(part) for part in parts), _END]
    try:
        return _examiners.ask(messages)
    except ChildProcessError:  # it may be the process that is at fault
        return _examiners.ask(messages)


class _Examiners:
    """A process a question, where processes are forks; elsewhere one answers all, until it fails to."""

    def __init__(self) -> None:
        self._kept: Process | None = None
        self._lock = threading.Lock()

    def ask(self, messages: list[bytes]) -> list[Any]:
        with contextlib.nullcontext() if forks() else self._lock:
            process = self._kept or Process(_answer)
            self._kept = None
            try:
                answers = _converse(process, messages)
            except BaseException:
                process.end()
                raise
            if forks():
                process.end()
            else:
                self._kept = process
            return answers


_examiners = _Examiners()


def _converse(process: Process, messages: list[bytes]) -> list[Any]:
    """The answers, a message sent when the one before it is answered."""
    answers = []
    try:
        for message in messages:
            process.connection.send_bytes(message)
            answered, answer = pickle.loads(process.answer())
            if not answered:
                raise ChildProcessError(answer)
            answers.append(answer)
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        if isinstance(error, ChildProcessError):
            raise
        raise ChildProcessError(f"it ended ({str(error) or type(error).__name__})") from None
    return answers[1:-1]


def _answer(connection: Any) -> None:
    """Answer conversations until the connection closes. Each message is answered before the next is read."""
    while True:
        opening = connection.recv_bytes()
        try:
            with undisturbed():
                answerer, question = pickle.loads(opening)
            respond, message = answerer(question), None
            while message != _END:
                answer = respond(pickle.loads(message)) if message is not None else None
                connection.send_bytes(pickle.dumps((True, answer)))
                message = connection.recv_bytes()
            connection.send_bytes(pickle.dumps((True, None)))
        except (EOFError, BrokenPipeError):
            raise
        except BaseException as error:  # whatever a mixer raises, SystemExit as well
            told = " ".join(traceback.format_exception_only(error)[-1].split())
            connection.send_bytes(pickle.dumps((False, told)))
