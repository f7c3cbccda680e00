"""Which death means what."""

import signal

import pytest

from engine.workers.outside.death import Exit, classify, describe


@pytest.mark.parametrize(
    ("exit", "cause", "is_nodes_fault", "told"),
    [
        (Exit(1, had_begun=True), "exited", True, "exit code 1"),
        (Exit(0, had_begun=True), "exited", True, "exit code 0"),
        (Exit(-signal.SIGSEGV, had_begun=True), "crashed", True, "SIGSEGV (Segmentation fault)"),
        (Exit(-signal.SIGBUS, had_begun=True), "crashed", True, "SIGBUS"),
        (Exit(-signal.SIGILL, had_begun=True), "crashed", True, "SIGILL"),
        (Exit(-signal.SIGFPE, had_begun=True), "crashed", True, "SIGFPE"),
        (Exit(-signal.SIGABRT, had_begun=True), "crashed", True, "SIGABRT"),
        (Exit(0xC0000005, had_begun=True), "crashed", True, "exit code 3221225477"),
        (Exit(-signal.SIGKILL, had_begun=True), "killed", False, "SIGKILL"),
        (Exit(-signal.SIGTERM, had_begun=True), "killed", False, "SIGTERM"),
        (Exit(-signal.SIGINT, had_begun=True), "killed", False, "SIGINT"),
        (Exit(-signal.SIGHUP, had_begun=True), "killed", False, "SIGHUP"),
        (Exit(-signal.SIGKILL, had_begun=True, out_of_memory="it was large"), "out_of_memory", True, "it was large"),
        (Exit(-signal.SIGSEGV, had_begun=True, out_of_memory="it was large"), "crashed", True, "SIGSEGV"),
        # What had not begun is not to blame.
        (Exit(1), "killed", False, "exit code 1"),
        (Exit(-signal.SIGSEGV), "killed", False, "SIGSEGV"),
        (Exit(1, had_task=False), "killed", False, "exit code 1"),
        # A cancelled job is not run again because somebody killed its worker meanwhile.
        (Exit(-signal.SIGKILL, had_begun=True, cancelled=True), "cancelled", False, "SIGKILL"),
        (Exit(-signal.SIGSEGV, had_begun=True, cancelled=True), "crashed", True, "SIGSEGV"),
    ],
)
def test_a_death_has_a_cause_a_culprit_and_a_sentence(exit: Exit, cause: str, is_nodes_fault: bool, told: str) -> None:
    end = classify(exit)
    assert (end.status, end.cause, end.is_nodes_fault) == ("died", cause, is_nodes_fault)
    assert told in end.message
    assert end.message[0].isupper()
    assert end.message.endswith(".")


def test_a_crash_is_told_with_the_thread_that_crashed() -> None:
    lines = ["noise", "Fatal Python error: Segmentation fault", "Thread 1:", "  other", "Current thread 2:", "  File x"]
    message = classify(Exit(-signal.SIGSEGV, had_begun=True, lines=[*lines, "Extension modules: a, b"])).message
    assert message.endswith("Current thread 2:\n  File x")


def test_the_summary_of_an_end_is_one_line_of_whole_sentences() -> None:
    end = classify(Exit(3, had_begun=True, lines=["what it", "printed"]))
    assert "printed" in end.message
    assert "printed" not in end.summary
    assert "\n" not in end.summary
    assert end.summary.endswith(".")


def test_an_exit_is_told_with_its_last_lines() -> None:
    message = classify(Exit(9, had_begun=True, lines=[str(n) for n in range(50)])).message
    assert message.endswith("\n48\n49")
    assert "\n20\n" not in message


def test_exit_codes_are_told_in_words() -> None:
    assert describe(-9) == "SIGKILL (Killed)"
    assert describe(-250) == "signal 250"
    assert describe(3) == "exit code 3"
    assert describe(None) == "no exit code"
