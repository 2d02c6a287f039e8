"""Processes that begin with torch imported and no data seen: they confirm solves, and train members side by side.

On Linux a server imports torch once, while the process that asks does the same, and forks: a process costs
milliseconds. Elsewhere a fork of a process with threads of its libraries is not safe, and each is an interpreter that
imports torch itself.

No torch is imported on the asking side. A process dies when the one that asked for it does, however that died.
"""

import atexit
import contextlib
import ctypes
import importlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import IO, Any

__all__ = ["Process", "forks", "keep_memory", "start_server", "stop_server"]

# glibc hands large blocks back to the system as soon as they are free; a training step takes them anew, and the
# kernel clears each page: 22,000 of them a step of `mamba` at lite, two fifths of its time.
_LARGEST_KEPT, _KEPT_IN_ALL = 32 << 20, 1 << 30
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(_LARGEST_KEPT),
    "MALLOC_TRIM_THRESHOLD_": str(_KEPT_IN_ALL),
}
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h."""
_NEEDED = ("benchbed.training.workers", "benchbed.training.confirmation.hidden")
"""What forks need is imported once, before them, so that an edit of benchbed meanwhile does not mix two of its
states. By name, because they import this.
"""
_SECONDS = 600.0
"""After which a process that neither begins nor answers is given up."""


def forks() -> bool:
    """Whether processes are forks of the server."""
    return sys.platform == "linux"


def keep_memory() -> None:
    """Have this process keep large blocks from now on, as those do that train; nothing where there is no glibc.

    A step that is measured without is not the one that is trained: `mamba` takes 5.4 times as long as attention, and
    took 9.6 times.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if forks() else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_IN_ALL)


class Process:
    """A process that runs `target(connection, *arguments)`, both pickled; what it prints is thrown away.

    Args:
        target: an importable function.
        arguments: after the connection, whose other end is `connection`.

    Raises:
        ChildProcessError: it does not begin.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        task = pickle.dumps((sys.path, pickle.dumps((target, arguments))))
        try:
            self.connection: Any = _server.connect() if forks() else _interpreter()
            self.connection.send_bytes(task)
            self.pid: int = pickle.loads(self.answer())
        except (OSError, EOFError) as error:
            raise ChildProcessError(f"a process did not begin ({str(error) or type(error).__name__})") from None

    def answer(self) -> bytes:
        """What it sends next.

        Raises:
            EOFError: it ended, or sends nothing in ten minutes.
            OSError: likewise.
        """
        if not self.connection.poll(_SECONDS):
            raise EOFError(f"nothing came in {_SECONDS:.0f} seconds")
        return self.connection.recv_bytes()

    def end(self) -> None:
        """End it now, whatever it does."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        self.connection.close()


class _Server:
    """What forks. Its forks ask it for forks of their own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._owner = 0
        atexit.register(self.stop)

    def start(self) -> None:
        running = self._process is not None and self._process.poll() is None
        if self._owner == os.getpid() and (running or self._process is None):
            return
        self._owner = os.getpid()  # a fork of this process is no part of the conversation
        theirs, self._requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ends = theirs.fileno(), self._requests.fileno()
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve{ends}"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,  # it ends when this is closed
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=ends,
            env=os.environ | _ENVIRONMENT,
            start_new_session=True,  # Ctrl-C is for this process
        )
        theirs.close()

    def adopt(self, requests: socket.socket) -> None:
        """Be, in a fork, one that asks the server it came from."""
        self._process, self._requests, self._owner = None, requests, os.getpid()

    def connect(self) -> Connection:
        """A connection to a new fork."""
        self.start()
        assert self._requests is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._requests, [b"fork"], [theirs.fileno()])
        return Connection(ours.detach())

    def stop(self) -> None:
        process, self._process = self._process, None
        if self._requests is not None:
            self._requests.close()
        if process is not None and self._owner == os.getpid():
            self._owner = 0
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            try:
                process.wait(0.5)  # it ends at once, unless it still imports
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


_server = _Server()


def start_server() -> None:
    """Start what processes are forked from, if it does not run: by the first of them it is ready."""
    if forks():
        _server.start()


def stop_server() -> None:
    """End it; the next process starts another."""
    _server.stop()


def serve(requests: int, asking: int) -> None:
    """Fork at each request until standard input closes: what the server does.

    Args:
        requests: descriptor of the socket on which requests come.
        asking: of its other end, for forks that ask themselves.
    """
    import select

    import torch

    for name in _NEEDED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    channel, others = socket.socket(fileno=requests), socket.socket(fileno=asking)
    while True:
        ready, _, _ = select.select([channel, sys.stdin], [], [], 1.0)
        _reap()
        if sys.stdin in ready:
            os._exit(0)  # nothing is left to tidy up, and the interpreter would take a second over it
        if not ready:
            continue
        _, (descriptor,), *_ = socket.recv_fds(channel, 16, 1)
        if os.fork() == 0:
            channel.close()
            _server.adopt(others)
            _run(Connection(descriptor))
            os._exit(0)
        os.close(descriptor)


def _reap() -> None:
    """Let forks that have ended go, and count their time as this process's."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _run(connection: "Connection | _Pipes") -> None:
    """One process from its beginning to its end."""
    os.dup2(2, 1)
    with contextlib.suppress(EOFError, OSError):
        sys.path[:], task = pickle.loads(connection.recv_bytes())
        connection.send(os.getpid())
        target, arguments = pickle.loads(task)
        target(connection, *arguments)


class _Pipes:
    """What is used of a `Connection`, over two files.

    Args:
        source: to read from.
        sink: to write to.
        give_up: what makes a read that waits come to its end.
    """

    def __init__(self, source: IO[bytes], sink: IO[bytes], give_up: Callable[[], None] = lambda: None) -> None:
        self._source, self._sink, self._give_up = source, sink, give_up

    def send_bytes(self, content: bytes) -> None:
        self._sink.write(len(content).to_bytes(8, "little") + content)
        self._sink.flush()

    def poll(self, seconds: float) -> bool:
        """Files do not tell whether there is something to read: the wait is ended instead."""
        watch = threading.Timer(seconds, self._give_up)
        watch.daemon = True
        watch.start()
        try:
            self._source.peek(1)  # pyright: ignore[reportAttributeAccessIssue]
            return True
        finally:
            watch.cancel()

    def recv_bytes(self) -> bytes:
        header = self._source.read(8)
        length = int.from_bytes(header, "little")
        content = self._source.read(length)
        if len(header) < 8 or len(content) < length:
            raise EOFError("it closed its output")
        return content

    def send(self, value: Any) -> None:
        self.send_bytes(pickle.dumps(value))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sink.close()
            self._source.close()


def _interpreter() -> _Pipes:
    """The pipes of a new interpreter."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import interpret; interpret()"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return _Pipes(process.stdout, process.stdin, process.kill)


def interpret() -> None:
    """Be a process: what a new interpreter does."""
    _run(_Pipes(sys.stdin.buffer, os.fdopen(os.dup(1), "wb")))
