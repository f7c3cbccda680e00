"""How a process ended, in one word and a sentence, and whether the node that ran is to blame.

docs/decisions/0009-worker-deaths.md says why which death is whose fault.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.workers.outside.contract import End

NODES_FAULTS = frozenset({"crashed", "exited", "out_of_memory", "unresponsive", "stalled"})
"""Causes a prompt would meet again."""

_CRASHES = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT", "SIGTRAP", "SIGSYS"}
_TOLD = 20
"""Lines of stderr in a message."""


@dataclass(frozen=True, slots=True)
class Exit:
    """What is known about a process that ended by itself or by somebody else's hand.

    code: as in subprocess, minus the signal. had_task: it was to run one. had_begun: it had reported something about
    it. out_of_memory: the evidence for that, "" without any. cancelled: the task had been asked to stop. lines: the
    last it printed.
    """

    code: int | None
    had_task: bool = True
    had_begun: bool = False
    out_of_memory: str = ""
    cancelled: bool = False
    lines: Sequence[str] = ()


def died(cause: str, message: str) -> End:
    """The end of a task whose worker is given up for this cause."""
    return End("died", cause, message, cause in NODES_FAULTS)


def classify(exit: Exit) -> End:
    """What the end of a process means for the task it had."""
    if not exit.had_task:
        return died("killed", _with_lines(f"The worker process ended with {describe(exit.code)}.", exit.lines))
    end = _cause(exit)
    if not exit.had_begun and end.is_nodes_fault:
        end = replace(end, cause="killed", is_nodes_fault=False)
    if exit.cancelled and not end.is_nodes_fault:
        end = replace(end, cause="cancelled")
    return end


def describe(code: int | None) -> str:
    """An exit code for people: "SIGKILL (Killed)", "exit code 3"."""
    if code is None:
        return "no exit code"
    if code >= 0:
        return f"exit code {code}"
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"signal {-code}"
    return f"{number.name} ({signal.strsignal(number) or 'unknown'})"


def was_killed(code: int | None) -> bool:
    """Whether a process was killed in the way that the system does it when memory runs out."""
    return describe(code).startswith("SIGKILL ")


def _cause(exit: Exit) -> End:
    how = describe(exit.code)
    if exit.code is None or exit.code >= 0x8000_0000 or how.partition(" ")[0] in _CRASHES:
        text = f"The worker process crashed: {how}. A native library that the running node uses failed."
        return died("crashed", _with_lines(text, exit.lines))
    if exit.code >= 0:
        text = f"The worker process ended with {how} in the middle of a job. A node must raise an error, not exit."
        return died("exited", _with_lines(text, exit.lines))
    if exit.out_of_memory:
        text = f"The system ended the worker process because memory ran out ({exit.out_of_memory})."
        return died("out_of_memory", f"{text} Use a smaller picture, batch or model, or free memory first.")
    return died("killed", f"The worker process was ended from outside by {how}.")


def _with_lines(text: str, lines: Sequence[str]) -> str:
    told = _telling(lines)
    return "\n".join([text, "The last it printed:", *told]) if told else text


def _telling(lines: Sequence[str]) -> Sequence[str]:
    """Python's own report of the thread that crashed, where there is one; else the last lines."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith("Current thread"):
            return [each for each in lines[index : index + _TOLD] if not each.startswith("Extension modules")]
    return lines[-_TOLD // 2 :]
