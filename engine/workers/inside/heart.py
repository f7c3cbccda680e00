"""A sign of life every second, whatever the main thread is doing."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import psutil

from engine.workers.inside.channel import Channel
from engine.workers.inside.inbox import Inbox
from engine.workers.inside.process import report_exception

INTERVAL = 1.0
DEVICES_INTERVAL = 5.0


class Heart:
    """Sends "beat" until the process ends. catch_up: what else is to be done every second, and does not take long.

    is_importing: programs that this process has started count as computing too: an import may compile something.
    """

    def __init__(self, channel: Channel, inbox: Inbox, catch_up: Callable[[], None]) -> None:
        self._channel = channel
        self._inbox = inbox
        self._catch_up = catch_up
        self._devices: Sequence[Mapping[str, Any]] = ()
        self._process = psutil.Process()
        self.is_importing = True
        self._usage = 0, 0.0

    def start(self) -> None:
        """Begins to beat."""
        threading.Thread(target=self._beat_on, name="heartbeat", daemon=True).start()

    def watch(self, devices: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        """Looks at the devices now and every few seconds, on a thread of its own: a device may not answer for long."""
        self._devices = devices()
        threading.Thread(target=self._watch_on, args=(devices,), name="devices", daemon=True).start()

    @property
    def devices(self) -> Sequence[Mapping[str, Any]]:
        """The devices as they were seen last."""
        return self._devices

    def _beat_on(self) -> None:
        pause = threading.Event()
        while True:
            for act in (self._send, self._catch_up):
                try:
                    act()
                except BaseException:  # noqa: BLE001 -- a missed beat is better than no more beats
                    report_exception()
            pause.wait(INTERVAL)

    def _send(self) -> None:
        self._channel.send(self._beat())

    def _beat(self) -> dict[str, Any]:
        running = self._inbox.running
        memory, cpu = self._measure()
        return {
            "type": "beat",
            "job": running.id if running is not None else None,
            "memory": memory,
            "cpu": cpu,
            "looked": running.flag.looked if running is not None else None,
            "devices": self._devices,
        }

    def _measure(self) -> tuple[int, float]:
        """Resident bytes, and seconds of processor time; the last ones where a node has used up all descriptors."""
        with suppress(OSError, psutil.Error):
            spent = self._process.cpu_times()
            cpu = spent.user + spent.system + (self._of_children() if self.is_importing else 0.0)
            self._usage = self._process.memory_info().rss, cpu
        return self._usage

    def _of_children(self) -> float:
        seconds = 0.0
        for each in self._process.children(recursive=True):
            with suppress(psutil.Error):  # it has just ended
                spent = each.cpu_times()
                seconds += spent.user + spent.system
        return seconds

    def _watch_on(self, devices: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        pause = threading.Event()
        while True:
            pause.wait(DEVICES_INTERVAL)
            try:
                self._devices = devices()
            except Exception:  # noqa: BLE001 -- a driver's answer; the last one is kept
                report_exception()
