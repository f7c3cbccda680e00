"""Answers "can this prompt run?" and what plugins are asked, beside whatever the main thread is doing."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.workers.inside.channel import Channel
from engine.workers.inside.process import report_exception

Check = Callable[[Mapping[str, Any], Sequence[str] | None], Mapping[str, Any]]
Ask = Callable[[str, Any], Any]
AT_ONCE = 4
"""An author's function may hang for ever; after so many of them prompts are taken unchecked and checked as they run."""


class Checks:
    """Each check on a thread of its own, a few at once."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._places = threading.Semaphore(AT_ONCE)
        self._check: Check | None = None
        self._ask: Ask | None = None

    def open(self, check: Check, ask: Ask) -> None:
        """From now on there are nodes to ask."""
        self._check, self._ask = check, ask

    def answer(self, message: Mapping[str, Any]) -> None:
        """Sees to it that the call is answered; returns at once."""
        call = message.get("call")
        if self._check is None or self._ask is None:
            self._refuse(call, "the worker has not imported its nodes yet")
        elif not self._places.acquire(blocking=False):
            self._refuse(call, f"{AT_ONCE} checks are still running")
        else:
            arguments = call, self._check, self._ask, message
            threading.Thread(target=self._run, args=arguments, name=f"check {call}", daemon=True).start()

    def _run(self, call: Any, check: Check, ask: Ask, message: Mapping[str, Any]) -> None:
        try:
            if message["type"] == "ask":
                result = ask(message["about"], message.get("data"))
            else:
                result = check(message["prompt"], message.get("targets"))
            self._channel.send({"type": "answer", "call": call, "result": result})
        except BaseException as error:  # noqa: BLE001 -- an author's code; SystemExit ends no thread of ours
            report_exception()
            self._refuse(call, f"{type(error).__name__}: {error}")
        finally:
            self._places.release()

    def _refuse(self, call: Any, why: str) -> None:
        self._channel.send({"type": "answer", "call": call, "error": why})
