"""Clients that cost little, so that what is measured is the server: raw HTTP/1.1 on sockets, in a process of its own.

    python -m benchmarks.traffic post ADDRESS PROMPT.json --clients 16 --seconds 5
    python -m benchmarks.traffic probe ADDRESS --every 4 --seconds 5

`post` keeps so many connections busy with POST /prompt, each with a seed of its own; `probe` asks GET /prompt every few
milliseconds. Both print one line of JSON. Units: milliseconds.
"""

import argparse
import asyncio
import itertools
import json
import re
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

SEED = b"9" * 15  # in a prompt file: where each request's own number goes
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)


def main() -> None:
    """Makes the traffic and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    posting = kinds.add_parser("post")
    posting.add_argument("address")
    posting.add_argument("prompt", type=Path)
    posting.add_argument("--clients", type=int, default=16)
    posting.add_argument("--seconds", type=float, default=5.0)
    posting.set_defaults(run=lambda chosen: asyncio.run(post(chosen)))
    probing = kinds.add_parser("probe")
    probing.add_argument("address")
    probing.add_argument("--every", type=float, default=4.0)
    probing.add_argument("--seconds", type=float, default=5.0)
    probing.set_defaults(run=probe)
    chosen = parser.parse_args()
    print(json.dumps(chosen.run(chosen)))


async def post(chosen: argparse.Namespace) -> dict[str, float]:
    """Posts from all connections until the time is over."""
    place = urlsplit(chosen.address)
    requests = _requests(place.netloc, chosen.prompt.read_bytes())
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    clients = [_Poster(requests, until=begun + chosen.seconds) for _ in range(chosen.clients)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, place.hostname, place.port)
    await asyncio.gather(*(client.done for client in clients))
    seconds = time.perf_counter() - begun
    times = [each for client in clients for each in client.times]
    return {"seconds": seconds, "refused": sum(client.refused for client in clients)} | summary(times)


def _requests(host: str, prompt: bytes) -> Iterator[bytes]:
    head = f"POST /prompt HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: "
    before, marker, after = prompt.partition(SEED)
    assert marker, "the prompt holds no place for a seed"
    start = 10 ** (len(SEED) - 1) + time.time_ns() // 1000 % 10**14
    for number in itertools.count(start):
        body = before + b"%d" % number + after
        yield head.encode() + b"%d\r\n\r\n" % len(body) + body


class _Poster(asyncio.Protocol):
    """A connection that sends its next request as soon as it has the answer to the last."""

    def __init__(self, requests: Iterator[bytes], until: float) -> None:
        self._requests, self._until = requests, until
        self.times: list[float] = []
        self.refused = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not is_complete(self._answer):
            return
        self.times.append((time.perf_counter() - self._sent) * 1000)
        self.refused += not self._answer.startswith(b"HTTP/1.1 200")
        self._answer = b""
        if time.perf_counter() < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None) if error is None else self.done.set_exception(error)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))  # type: ignore[attr-defined]


def probe(chosen: argparse.Namespace) -> dict[str, float]:
    """Asks at a steady pace.

    An answer that took longer than the pace counts also for the requests that could not be sent meanwhile, as they
    would have waited too.
    """
    place = urlsplit(chosen.address)
    times: list[float] = []
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = f"GET /prompt HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
        until = time.perf_counter() + chosen.seconds
        while time.perf_counter() < until:
            begun = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not is_complete(answer):
                answer += connection.recv(65536) or _lost()
            assert answer.startswith(b"HTTP/1.1 200"), answer
            took = (time.perf_counter() - begun) * 1000
            times += [took - missed * chosen.every for missed in range(int(took / chosen.every) + 1)]
            time.sleep(max(0.0, chosen.every - took) / 1000)
    return summary(times)


def is_complete(answer: bytes) -> bool:
    """Whether an answer has its whole body."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    return bool(separator and found) and len(body) >= int(found[1])


def summary(times: Sequence[float]) -> dict[str, float]:
    """How many there were, and the usual percentiles."""
    ordered = sorted(times)
    if not ordered:
        return {"count": 0}
    at = {
        name: ordered[min(len(ordered) - 1, int(len(ordered) * part))] for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    return {"count": len(ordered), **at, "max": ordered[-1]}


def _lost() -> bytes:
    raise ConnectionError("the server closed the connection")


if __name__ == "__main__":
    main()
