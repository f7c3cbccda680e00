"""What waits for one client: order, room, and the ways in which it ends."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from server.events.mailbox import LARGE, LARGE_LIMIT, LATE, LIMIT, TOO_SLOW, Goodbye, Mailbox, Packet

BYE = Goodbye(1000, "bye")


def a_box(unsent: int = 0) -> Mailbox:
    return Mailbox(lambda: unsent)


def fill(box: Mailbox, size: int) -> None:
    for _ in range(size // 1000):
        box.put(Packet(bytes(1000)))


def test_packets_come_out_in_their_order() -> None:
    async def scenario() -> None:
        box = a_box()
        packets = [Packet(bytes([n])) for n in range(10)]
        for packet in packets:
            box.put(packet)
        assert [await box.get() for _ in packets] == packets

    asyncio.run(scenario())


def test_who_waits_gets_what_comes() -> None:
    async def scenario() -> None:
        box = a_box()
        getting = asyncio.create_task(box.get())
        await asyncio.sleep(0)
        box.put(Packet(b"x"))
        assert await getting == Packet(b"x")

    asyncio.run(scenario())


def test_nothing_comes_in_time() -> None:
    async def scenario() -> None:
        box = a_box()
        assert await box.get(0.001) is None
        assert box.goodbye is None

    asyncio.run(scenario())


def test_who_is_woken_looks_around_after_what_waits_and_only_once() -> None:
    async def scenario() -> None:
        box = a_box()
        box.put(Packet(b"x"))
        box.wake()
        assert await box.get() == Packet(b"x")
        assert await box.get() is None
        getting = asyncio.create_task(box.get())
        await asyncio.sleep(0)
        assert not getting.done()
        box.wake()
        assert await getting is None

    asyncio.run(scenario())


def test_what_waits_is_taken_before_the_end() -> None:
    async def scenario() -> None:
        box = a_box()
        box.put(Packet(b"x"))
        box.end(BYE)
        box.put(Packet(b"too late"))
        assert await box.get() == Packet(b"x")
        assert await box.get() is None
        assert box.goodbye == BYE

    asyncio.run(scenario())


def test_a_full_box_is_emptied_and_closed() -> None:
    box, told = a_box(), []
    box.on_drop = lambda: told.append(True)
    fill(box, LIMIT)
    assert not box.is_dropped
    box.put(Packet(bytes(1000)))
    assert box.is_dropped
    assert box.goodbye is not None
    assert box.goodbye.code == TOO_SLOW
    assert len(box.goodbye.reason.encode()) <= 123
    assert (box.waiting, told) == (0, [True])


def test_what_the_transport_holds_counts() -> None:
    box = a_box(LIMIT - 1500)
    box.put(Packet(bytes(1000)))
    assert not box.is_dropped
    box.put(Packet(bytes(1000)))
    assert box.is_dropped


def test_large_packets_have_room_of_their_own() -> None:
    box = a_box()
    fill(box, LIMIT)
    for _ in range(LARGE_LIMIT // (LARGE + 1)):
        box.put(Packet(bytes(LARGE + 1)))
    assert not box.is_dropped
    box.put(Packet(bytes(LARGE + 1)))
    assert box.is_dropped


def test_one_packet_however_large_is_taken() -> None:
    box = a_box()
    box.put(Packet(bytes(2 * LARGE_LIMIT)))
    assert not box.is_dropped


def test_late_clients_get_the_last_status_and_no_previews() -> None:
    box = a_box()
    fill(box, LATE + 2000)
    before = box.waiting
    box.put(Packet(b"preview", is_optional=True))
    for n in range(3):
        box.put(Packet(str(n).encode(), is_status=True))
    assert box.waiting == before + 1
    packets = [box.take() for _ in range(LATE // 1000 + 3)]
    assert [each.data for each in packets if each and each.is_status] == [b"2"]


def test_a_status_never_replaces_something_else() -> None:
    box = a_box()
    fill(box, LATE + 2000)
    box.put(Packet(b"one", is_status=True))
    box.put(Packet(b"news"))
    box.put(Packet(b"two", is_status=True))
    found = [each.data for each in iter(box.take, None) if each is not None]
    assert found[-3:] == [b"one", b"news", b"two"]


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 400_000), st.booleans(), st.booleans())), max_size=60))
def test_what_waits_is_counted_exactly(actions: list[tuple[int, bool, bool] | None]) -> None:
    box = a_box()
    for action in actions:
        if action is None:
            box.take()
        else:
            size, is_status, is_optional = action
            box.put(Packet(bytes(size), is_status=is_status, is_optional=is_optional))
    while box.take() is not None:
        pass
    assert box.waiting == 0
