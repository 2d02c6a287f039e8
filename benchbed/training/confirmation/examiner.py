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
from collections.abc import Callable
from typing import IO, Any

__all__ = ["ask", "serve", "start", "stop"]

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

    def ask(self, plain: bytes) -> Any:
        with self._lock:
            answered, answer = self._exchange(plain)
            if not answered:  # it may be the process that is at fault
                self.close()
                answered, answer = self._exchange(plain)
            if not answered:
                self.close()
                raise ChildProcessError(answer)
            return answer

    def _exchange(self, plain: bytes) -> tuple[bool, Any]:
        """Whether there is an answer, and the answer or what went wrong."""
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(_SECONDS, process.kill)
        watch.start()
        try:
            _send(process.stdin, plain)
            return pickle.loads(_receive(process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            return False, f"it ended ({error or type(error).__name__})"
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


def ask(answer: Callable[[Any], Any], question: Any) -> Any:
    """What `answer(question)` gives in the other process; both are pickled, and so is the answer.

    Raises:
        ChildProcessError: there is no answer, from a process that was just started either; the text says why.
    """
    return _examiner.ask(pickle.dumps((sys.path, pickle.dumps((answer, question)))))


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
            plain = _receive(questions)
            _send(answers, _in_a_fork(plain) if forks else _attempt(plain))


def _in_a_fork(plain: bytes) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "wb") as file:
            file.write(_attempt(plain))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answer = file.read()
    _, code = os.waitpid(child, 0)
    return answer or pickle.dumps((False, f"it ended with {os.waitstatus_to_exitcode(code)}"))


def _attempt(plain: bytes) -> bytes:
    try:
        sys.path[:], asked = pickle.loads(plain)
        answer, question = pickle.loads(asked)
        return pickle.dumps((True, answer(question)))
    except BaseException as error:  # whatever a mixer raises, SystemExit as well
        return pickle.dumps((False, " ".join(traceback.format_exception_only(error)[-1].split())))


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
