"""A process that has seen no data and answers questions, each in a fork of it that dies of the answer.

Nothing stays of a question, nor of the code that answered it. No torch is imported on the asking side, so that the
process can be started before it is: the seconds that both need pass side by side.
"""

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import IO, Any, TypeVar

__all__ = ["ask", "serve", "start", "stop"]

Q = TypeVar("Q")
P = TypeVar("P")

_END = b""
_SECONDS = 600.0
"""After which a process that does not answer is ended."""


class _Examiner:
    """The asking side: one process, started when it is needed and again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    def start(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self._owner = os.getpid()  # a fork of this process must not share the pipes
            code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for this process
            )
        return self._process

    def ask(self, opening: bytes, parts: list[bytes]) -> list[Any]:
        with self._lock:
            answers = self._converse(opening, parts)
            if isinstance(answers, str):  # it may be the process that is at fault
                self.close()
                answers = self._converse(opening, parts)
            if isinstance(answers, str):
                self.close()
                raise ChildProcessError(answers)
            return answers

    def _converse(self, opening: bytes, parts: list[bytes]) -> list[Any] | str:
        """The answers, or what went wrong. A part is sent when the one before it is answered."""
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(_SECONDS, process.kill)
        watch.start()
        answers = []
        try:
            for message in (opening, *parts, _END):
                _send(process.stdin, message)
                answered, answer = pickle.loads(_receive(process.stdout))
                if not answered:
                    return answer
                answers.append(answer)
            return answers[1:-1]
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            return f"it ended ({error or type(error).__name__})"
        finally:
            watch.cancel()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            with contextlib.suppress(OSError):
                process.communicate()


_examiner = _Examiner()


def start() -> None:
    """Start the process, if it does not run: by the first question it is ready."""
    _examiner.start()


def stop() -> None:
    """End the process; the next question starts another."""
    _examiner.close()


def ask(answerer: Callable[[Q], Callable[[P], Any]], question: Q, parts: Iterable[P]) -> list[Any]:
    """What `answerer(question)` gives for each part in another process, which sees one when all before are answered.

    All of it is pickled, and so are the answers.

    Raises:
        ChildProcessError: there is no answer, from a process that was just started either; the text says why.
    """
    opening = pickle.dumps((sys.path, pickle.dumps((answerer, question))))
    return _examiner.ask(opening, [pickle.dumps(part) for part in parts])


def serve() -> None:
    """Answer questions from standard input until it closes: what the other process does."""
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a mixer prints is no answer
    import torch

    from benchbed.training import recipe  # noqa: F401  what every fork needs

    torch.set_num_threads(1)
    forks = sys.platform == "linux"  # elsewhere a fork of a process with threads of its libraries is not safe
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            opening = _receive(questions)
            child = os.fork() if forks else None
            if not child:
                _answer(opening, questions, answers)
                if child == 0:
                    os._exit(0)
                continue
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code:
                _send(answers, pickle.dumps((False, f"it ended with {code}")))


def _answer(opening: bytes, questions: IO[bytes], answers: IO[bytes]) -> None:
    """One conversation. Each message is answered before the next is sent, so that none is read ahead."""
    try:
        sys.path[:], asked = pickle.loads(opening)
        answerer, question = pickle.loads(asked)
        respond, message = answerer(question), None
        while message != _END:
            answer = respond(pickle.loads(message)) if message is not None else None
            _send(answers, pickle.dumps((True, answer)))
            message = _receive(questions)
        _send(answers, pickle.dumps((True, None)))
    except BaseException as error:  # whatever a mixer raises, SystemExit as well
        told = " ".join(traceback.format_exception_only(error)[-1].split())
        _send(answers, pickle.dumps((False, told)))


def _send(file: IO[bytes], content: bytes) -> None:
    file.write(len(content).to_bytes(8, "little") + content)
    file.flush()


def _receive(file: IO[bytes]) -> bytes:
    header = file.read(8)
    length = int.from_bytes(header, "little")
    content = file.read(length)
    if len(header) < 8 or len(content) < length:
        raise EOFError("it closed its output")
    return content
