"""Makes this process a worker: its pipe is safe from what nodes print, and it does not outlive who started it."""

import faulthandler
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

HIGH = 200
"""Where the pipe's descriptors go: a node that closes low ones and opens files does not get these numbers."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def become_worker() -> tuple[int, int]:
    """Prepares a process that has just started; call it before anything heavy is imported.

    Returns: the private descriptors to read from and to write to. What anyone prints goes to stderr from now on.
    """
    pipe = _take_over_pipe()
    _make_printable()
    faulthandler.enable()
    # The terminal's Ctrl-C reaches the whole group; what it means for a job is the server's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _die_with_parent()
        _be_killed_first()
    return pipe


def report_exception() -> None:
    """Writes the exception that is being handled to the log; a node may have closed or replaced stderr."""
    with suppress(Exception):
        traceback.print_exc(file=sys.stderr)


def _take_over_pipe() -> tuple[int, int]:
    pipe = _private(0), _private(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return pipe


def _private(descriptor: int) -> int:
    """A copy that programs started by nodes do not inherit."""
    if sys.platform == "win32":
        import msvcrt  # exists on Windows only

        copy = os.dup(descriptor)
        msvcrt.setmode(copy, os.O_BINARY)
        return copy
    import fcntl  # exists on Unix only

    with suppress(OSError):  # HIGH may be above the limit for open files
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, HIGH)
    return os.dup(descriptor)


def _make_printable() -> None:
    """What nodes print is read as lines of UTF-8; a character nobody can write must not fail a node."""
    for stream in (sys.stdout, sys.stderr):
        # Whoever embeds Python may have put something else there, or nothing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _die_with_parent() -> None:
    """Has the kernel end this process when the server dies, even while a node holds on to everything."""
    import ctypes  # only Linux needs it

    parent = os.getppid()
    with suppress(OSError, AttributeError):  # end of file on the pipe ends the worker as well, only later
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _be_killed_first() -> None:
    """When memory runs out, the kernel takes the worker and leaves the server."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
