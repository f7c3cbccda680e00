"""One job's run on its way to the disk, and from there to those who listen.

What happens is numbered and written in the order in which it came, as much at a time as has gathered meanwhile, and
sent on only when it is on the disk. A disk that refuses is asked again until it takes it: nothing is left out.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from engine.errors import LatentwireError
from engine.graph.events import Event
from server.events.hub import Hub
from server.events.wire import Story
from server.jobs.job import Item, Job, Output, Sent, State
from server.jobs.store import JobGone, Jobs

AHEAD = 2000  # pieces of news that may wait for the disk before the worker is no longer listened to
TOGETHER = 50  # pieces of news that are written and sent in one go; others get their turn in between
PATIENCE = 1.0  # seconds between two tries on a disk that refuses

log = logging.getLogger(__name__)


_News = tuple[list[Item], list[Output]]
"""What is to be written together."""


class Torn(Exception):
    """The disk refused while the server was going down. The row still says that the job runs, so it runs again."""


class Chronicle:
    """What becomes known of one job from its start to its end."""

    def __init__(self, job: Job, jobs: Jobs, hub: Hub, *, may_give_up: Callable[[], bool]) -> None:
        """may_give_up: whether the server is going down; then a disk that refuses once is not asked again."""
        classes = {node: str(each.get("class_type", "")) for node, each in job.prompt.items()}
        self.story = Story(job.id, classes=classes)
        self._job, self._jobs, self._hub, self._may_give_up = job, jobs, hub, may_give_up
        self._news: deque[_News | Callable[[], None]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self.is_torn = False
        self._has_room = asyncio.Event()

    async def tell(self, event: Event, now: float) -> None:
        """Takes in what happened; waits only where far too much has gathered. Units: now is seconds since 1970."""
        if self.is_torn:
            return
        items, shown = self.story.tell(event, now)
        if items or shown:
            self._news.append((items, shown))
            self._writing = self._writing or asyncio.create_task(self._write())
        while len(self._news) > AHEAD:
            self._has_room.clear()
            await self._has_room.wait()

    def aside(self, say: Callable[[], None]) -> None:
        """Has something said about which nothing is written, in its place among what happened.

        It is left out where far too much has gathered.
        """
        if self._writing is None:
            say()
        elif len(self._news) <= AHEAD:
            self._news.append(say)

    async def finish(self, state: State, items: Sequence[Item], cause: str | None) -> None:
        """Writes the end of the job behind all that happened before, and then tells of it. Raises: Torn."""
        await self.settle()
        if self.is_torn:
            raise Torn
        sent = await self._insist(lambda: self._end(state, items, cause))
        # The history has it by now: only then does the number drop, and only then comes the end mark.
        self._publish(sent[:-1])
        self._hub.status(self._jobs.remaining)
        self._publish(sent[-1:])

    async def settle(self) -> None:
        """Waits until all that happened so far is written and sent."""
        while self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        try:
            while self._news:
                # What a node showed goes with the message that says so: where one is on the disk, the other is.
                taken = self._next()
                items = [item for some, _ in taken for item in some]
                shown = [output for _, some in taken for output in some]
                if taken:
                    self._publish(await self._insist(partial(self._jobs.record, self._job.id, items, shown)))
                self._has_room.set()
        except Torn:
            # What came later must not stand on the disk without what came before.
            self._news.clear()
        finally:
            self._writing = None
            self._has_room.set()

    def _next(self) -> list[_News]:
        """What is written in one go; what is only said, and stands before or behind it, is said in its turn."""
        taken: list[_News] = []
        while self._news and len(taken) < TOGETHER:
            first = self._news[0]
            if callable(first):
                if taken:
                    break
                self._news.popleft()
                first()
            else:
                self._news.popleft()
                taken.append(first)
        return taken

    def _end(self, state: State, items: Sequence[Item], cause: str | None) -> Awaitable[Sequence[Sent]]:
        story = self.story
        return self._jobs.finish(
            self._job.id, state, items, error=story.error, cause=cause, messages=story.messages, spans=story.spans
        )

    async def _insist(self, write: Callable[[], Awaitable[Sequence[Sent]]]) -> Sequence[Sent]:
        while True:
            try:
                return await write()
            except JobGone:
                return ()
            except Exception as error:
                if self._may_give_up():
                    self.is_torn = True
                    raise Torn from error
                # The disk, most likely. Whatever it is, a job without an end would stand in the queue for ever.
                is_known = isinstance(error, LatentwireError)
                text = "what happened to job %s cannot be written yet: %s"
                log.error(text, self._job.id, error, extra={"job": self._job.id}, exc_info=not is_known)
                await asyncio.sleep(PATIENCE)

    def _publish(self, sent: Sequence[Sent]) -> None:
        if sent:
            self._hub.publish(self._job.id, self._job.client_id, sent)
