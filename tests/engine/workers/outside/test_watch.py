"""When a worker is given up, told with numbers instead of processes."""

from dataclasses import replace
from typing import Any

from engine.workers.outside.contract import Limits
from engine.workers.outside.watch import Watch

LIMITS = Limits(
    cancel_grace=3.0, unwinding=10.0, heartbeat=30.0, stall=100.0, start=60.0, memory=1000, memory_limit=2000
)


def cause(watch: Watch) -> str | None:
    end = watch.verdict()
    return end.cause if end else None


def working() -> Watch:
    watch = Watch(LIMITS)
    watch.ready()
    watch.began()
    return watch


def beat(watch: Watch, seconds: int, **message: Any) -> None:
    """A heartbeat each second."""
    for _ in range(seconds):
        watch.pass_time(1.0)
        watch.heard()
        watch.beat({"type": "beat", **message})


def test_silence_is_forgiven_until_it_lasts_too_long() -> None:
    watch = working()
    watch.pass_time(29.0)
    assert cause(watch) is None
    watch.heard()
    watch.pass_time(29.0)
    assert cause(watch) is None
    watch.pass_time(1.0)
    assert cause(watch) == "unresponsive"


def test_importing_may_be_silent_but_not_for_ever() -> None:
    watch = Watch(LIMITS)
    watch.pass_time(59.0)
    assert cause(watch) is None
    watch.pass_time(1.0)
    assert cause(watch) == "unresponsive"


def test_each_plugin_has_as_long_as_a_start() -> None:
    watch = Watch(LIMITS)
    for name in ("a", "b", "c"):
        watch.importing(name)
        watch.pass_time(59.0)
        assert cause(watch) is None
    watch.pass_time(1.0)
    end = watch.verdict()
    assert end is not None
    assert end.message == "The worker was importing c, and was ended: not done after 60 s."
    watch.ready()
    assert cause(watch) == "unresponsive", "it has been silent all the time"
    watch.heard()
    watch.importing("again")
    watch.pass_time(59.0)
    assert cause(watch) is None


def test_a_plugin_that_computes_nothing_while_it_is_imported_has_less_time() -> None:
    watch = Watch(replace(LIMITS, plugin=20.0))
    beat(watch, 30, cpu=1.0)
    assert cause(watch) is None, "that was not a plugin's time"
    watch.importing("a")
    beat(watch, 15, cpu=1.0)
    beat(watch, 1, cpu=2.0)
    beat(watch, 19, cpu=2.0)
    assert cause(watch) is None, "it has computed meanwhile"
    watch.importing("b")
    beat(watch, 19, cpu=2.0)
    assert cause(watch) is None
    beat(watch, 1, cpu=2.0)
    end = watch.verdict()
    assert end is not None
    assert end.message == "The worker was importing b, and was ended: it did nothing for 20 s (--plugin-timeout)."
    watch.importing()
    assert cause(watch) is None
    beat(watch, 59, cpu=2.0)
    assert cause(watch) is None, "all plugins are imported"


def test_a_plugin_that_is_silent_or_may_wait_has_as_long_as_a_start() -> None:
    watch = Watch(replace(LIMITS, plugin=20.0))
    watch.importing("a")
    watch.pass_time(59.0)
    assert cause(watch) is None
    watch = Watch(replace(LIMITS, plugin=0.0))
    watch.importing("a")
    beat(watch, 59, cpu=1.0)
    assert cause(watch) is None


def test_beats_alone_do_not_keep_a_job_from_stalling() -> None:
    watch = working()
    beat(watch, 99, cpu=5.0, looked=None)
    assert cause(watch) is None
    beat(watch, 1, cpu=5.0, looked=None)
    assert cause(watch) == "stalled"


def test_an_idle_worker_does_not_stall() -> None:
    watch = working()
    watch.done()
    beat(watch, 1000, cpu=5.0, looked=None)
    assert cause(watch) is None


def test_an_event_a_look_or_a_second_of_computing_is_progress() -> None:
    watch = working()
    beat(watch, 90, cpu=5.0, looked=None)
    watch.event()
    beat(watch, 90, cpu=5.0, looked=None)
    beat(watch, 1, cpu=5.0, looked=0.5)
    beat(watch, 90, cpu=5.0, looked=60.0)
    beat(watch, 1, cpu=5.9, looked=60.0)
    beat(watch, 90, cpu=5.9, looked=60.0)
    assert cause(watch) is None
    beat(watch, 10, cpu=5.9, looked=60.0)
    assert cause(watch) is None  # it looked 60 s ago
    beat(watch, 60, cpu=5.9, looked=120.0)
    assert cause(watch) == "stalled"


def test_the_little_computing_of_the_heart_is_no_progress() -> None:
    watch = working()
    for second in range(100):
        beat(watch, 1, cpu=second * 0.002, looked=None)
    assert cause(watch) == "stalled"


def test_a_stall_of_0_waits_for_ever() -> None:
    watch = Watch(Limits(stall=0))
    watch.ready()
    watch.began()
    beat(watch, 10_000, cpu=0.0, looked=None)
    assert cause(watch) is None


def test_a_cancel_that_nobody_sees_ends_the_worker() -> None:
    watch = working()
    watch.seen()  # of nothing
    watch.cancelled()
    beat(watch, 2, cpu=0.0, looked=10.0)
    watch.cancelled()  # asking twice gives no more time
    assert cause(watch) is None
    beat(watch, 1, cpu=1.0, looked=10.0)
    assert cause(watch) == "cancelled"


def test_a_cancel_that_was_seen_has_time_to_unwind() -> None:
    watch = working()
    watch.cancelled()
    beat(watch, 2, cpu=0.0)
    watch.seen()
    beat(watch, 9, cpu=0.0)
    assert cause(watch) is None
    beat(watch, 1, cpu=0.0)
    assert cause(watch) == "cancelled"


def test_a_cancel_concerns_one_job() -> None:
    watch = working()
    watch.cancelled()
    watch.done()
    watch.began()
    beat(watch, 50, cpu=0.0)
    assert cause(watch) is None


def test_memory_has_two_limits() -> None:
    watch = working()
    watch.memory = 1001
    assert watch.is_over
    assert cause(watch) is None
    watch.memory = 2001
    assert cause(watch) == "out_of_memory"
    assert not Watch(Limits()).is_over


def test_who_was_told_to_leave_or_to_empty_has_a_deadline() -> None:
    watch = working()
    watch.done()
    assert not watch.had_time_to_empty
    watch.empty_within(3.0)
    beat(watch, 3)
    assert watch.had_time_to_empty
    watch.leave_within(5.0)
    beat(watch, 4)
    assert cause(watch) is None
    beat(watch, 1)
    assert cause(watch) == "stopped"


def test_a_beat_with_nonsense_is_a_sign_of_life_and_no_more() -> None:
    watch = working()
    beat(watch, 99, cpu="much", looked=[])
    assert cause(watch) is None
    beat(watch, 1, cpu={}, looked="now")
    assert cause(watch) == "stalled"
