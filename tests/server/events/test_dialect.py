"""The order in which pictures and messages reach clients of either kind."""

import json
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from server.events.dialect import SocketDialect, lines
from server.jobs.job import Sent, StoredEvent
from tests.server.listening import preview

FLAG = {"supports_preview_metadata": True}
NODES = st.sampled_from(["1", "2"])
JOBS = st.sampled_from(["a", "b"])
MESSAGES = st.tuples(JOBS, st.sampled_from(["progress", "progress_state", "executed", "executing"]), NODES)
PREVIEWS = st.tuples(JOBS, st.just("preview"), NODES)


def items(kinds: Sequence[tuple[str, str, str]]) -> list[Sent]:
    return [
        preview(job, node, str(n).encode())
        if kind == "preview"
        else StoredEvent(n, job, kind, json.dumps({"node": node}), 0, "me")
        for n, (job, kind, node) in enumerate(kinds)
    ]


def said(dialect: SocketDialect, sent: Sequence[Sent]) -> list[int]:
    """The positions of what was sent, in the order in which it is said."""
    packets = [packet for item in sent for packet in dialect.say(item)]
    return [int(each.data[8:]) if each.is_binary else json.loads(each.data)["id"] for each in packets]


@given(st.lists(st.one_of(MESSAGES, PREVIEWS), max_size=40))
def test_an_old_client_gets_every_picture_once_and_where_it_expects_it(kinds: list[tuple[str, str, str]]) -> None:
    ending = [(job, "executing", "end") for job in ("a", "b")]
    kinds = [*kinds, *ending]
    order = said(SocketDialect(FLAG), items(kinds))
    assert sorted(order) == list(range(len(kinds)))
    told = [n for n in order if kinds[n][1] != "preview"]
    assert told == sorted(told)
    for n, (job, kind, node) in enumerate(kinds):
        if kind != "preview":
            continue
        # The first thing that lets it go: a step of its node, its next picture, or anything else of its job.
        release = next(
            m
            for m in range(n + 1, len(kinds))
            if kinds[m][0] == job
            and (
                (kinds[m][1] in ("progress", "preview") and kinds[m][2] == node)
                or kinds[m][1] in ("executed", "executing")
            )
        )
        if kinds[release][1] == "progress":
            assert order.index(n) > order.index(release)
        else:
            assert order.index(n) < order.index(release)


def test_a_new_client_gets_everything_where_it_happened() -> None:
    dialect = SocketDialect(FLAG)
    dialect.agree(FLAG)
    sent = items([("a", "preview", "1"), ("a", "progress", "1"), ("a", "preview", "1"), ("a", "executed", "1")])
    packets = [packet for item in sent for packet in dialect.say(item)]
    assert [each.is_binary for each in packets] == [True, False, True, False]
    assert packets[0].data[:4] == b"\0\0\0\4"


def test_only_pictures_on_the_way_may_be_left_out() -> None:
    dialect = SocketDialect(FLAG)
    dialect.agree(FLAG)
    (jpeg,) = dialect.say(preview("a", "1"))
    (png,) = dialect.say(preview("a", "1", mime="image/png"))
    assert (jpeg.is_optional, png.is_optional) == (True, False)


def test_lines_know_the_end_of_a_run() -> None:
    def is_end(type: str, node: str | None) -> bool:
        (packet,) = lines(StoredEvent(1, "a", type, json.dumps({"node": node}), 0, None))
        return packet.is_end

    assert is_end("executing", None)
    assert not is_end("executing", "1")
    assert not is_end("executed", None)


def test_a_client_that_never_asked_for_pictures_in_the_making_gets_finished_ones_only() -> None:
    quiet = SocketDialect(FLAG, shows_everybody=False)
    making, finished = (replace(preview("a", "1", data), is_asked=False) for data in (b"x", b"y"))
    finished = replace(finished, mime="image/png")
    end = StoredEvent(1, "a", "executing", json.dumps({"node": None}), 0, "me")
    packets = [packet for item in (making, finished, end) for packet in quiet.say(item)]
    assert [packet.is_binary for packet in packets] == [True, False]
    assert packets[0].data.endswith(b"y")
    quiet.agree(FLAG)
    assert [*quiet.say(making)]
    asked = SocketDialect(FLAG, shows_everybody=False)
    assert len([packet for item in (preview("a", "1", b"x"), end) for packet in asked.say(item)]) == 2
