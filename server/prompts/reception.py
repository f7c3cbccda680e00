"""Where prompts come in: read, judged, shown to their nodes' authors where need be, written down, answered.

Small requests are dealt with on the event loop, larger ones in threads, as many at once as there is memory for.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from aiohttp import hdrs, web

from server.dispatcher import Dispatcher
from server.events.hub import Hub
from server.jobs.job import Brief
from server.jobs.store import JobConflict, Jobs
from server.node_types import NodeTypes
from server.prompts import submission
from server.prompts.leftovers import Leftovers
from server.prompts.submission import Candidate, Submission, Supply, refusal, refused_as
from server.protocol.prompts import PromptAnswer
from server.requests import body, reply
from server.requests.budget import Budget
from server.requests.reading import Reading
from server.requests.refusal import Refused

SMALL = 16 << 10
"""Bytes of a request that costs the event loop a few milliseconds at most."""

UNRESERVED = 256 << 10
"""Bytes of a request that are read whoever else is reading; nearly all prompts are shorter."""

READ_AT_ONCE = 8 * body.MAX_PROMPT  # bytes of large requests in memory
JUDGED_AT_ONCE = body.MAX_PROMPT  # bytes of them that are Python objects, which take thirty times the room
PATIENCE_FOR_ROOM = 10.0  # seconds
PATIENCE_WITH_AUTHORS = 2.0  # seconds. Source: processes.md, Validation at POST

_TYPES = {408: "request_timeout", 413: "request_too_large", 503: "not_ready", 507: "no_space"}


class Reception:
    """Takes requests in, as many at once as memory allows."""

    def __init__(
        self, jobs: Jobs, hub: Hub, dispatcher: Dispatcher, node_types: NodeTypes, supply: Supply | None = None
    ) -> None:
        self._jobs, self._hub, self._dispatcher, self._node_types = jobs, hub, dispatcher, node_types
        self._supply = supply
        self._room = Budget(READ_AT_ONCE)
        self._desk = Budget(JUDGED_AT_ONCE)
        self._leftovers = Leftovers()

    async def receive(self, request: web.Request) -> web.Response:
        """The answer of POST /prompt. Raises: Refused, in the shape its clients read."""
        try:
            reading = Reading(request, body.MAX_PROMPT)
            if await reading.is_within(UNRESERVED):
                return await self._received(await reading.whole())
            async with AsyncExitStack() as stack:
                await self._reserve(stack, reading.most)
                return await self._received(await reading.whole(self._room.is_wanted))
        except Refused as error:
            if error.body is not None:
                raise
            type = _TYPES.get(error.status, "invalid_request")
            shaped = refusal(type, str(error), status=error.status)
            raise Refused(error.status, str(error), body=shaped.body, headers=error.headers) from error

    async def _reserve(self, stack: AsyncExitStack, size: int) -> None:
        """Room for a large request, once it has shown that it is one by what it sent. Raises: Refused."""
        try:
            await stack.enter_async_context(self._room.take(size, patience=PATIENCE_FOR_ROOM))
        except TimeoutError:
            message = "as many large requests are being read as there is memory for; send it again in some seconds"
            raise Refused(503, message, headers={hdrs.RETRY_AFTER: "5"}) from None

    async def _received(self, data: bytes) -> web.Response:
        if len(data) <= SMALL:
            return await self._decide(data, is_large=False)
        try:
            async with self._desk.take(len(data)):
                return await self._decide(data, is_large=True)
        finally:
            if len(data) > UNRESERVED:
                self._leftovers.clear_soon()

    async def admit(self, sent: Submission, *, is_long: bool) -> tuple[Candidate, Brief, bool]:
        """Judges a request and writes its job down. Returns: also whether the job is new.

        Raises: Refused; JobConflict, when another request has that id.
        """
        candidate = await self._judged(sent, is_long)
        brief, is_new = await self._jobs.submit(candidate.new)
        if is_new:
            self._hub.status(self._jobs.remaining)
            self._dispatcher.wake()
        return candidate, brief, is_new

    async def _decide(self, data: bytes, is_large: bool) -> web.Response:
        sent = await asyncio.to_thread(submission.read, data) if is_large else submission.read(data)
        sent = await self.seen_by_plugins(sent, lambda: body.parse(data))
        is_long = is_large or sent.is_foreign  # another format is read with Pillow, which must be imported first
        try:
            candidate, brief, is_new = await self.admit(sent, is_long=is_long)
        except JobConflict as error:
            raise refusal("prompt_id_conflict", str(error), status=409) from error
        except Refused as error:
            return await self._answer_again(sent, error)
        answer = await self._answer(candidate, brief, is_new)
        return await reply.long(lambda: answer) if is_long else reply.short(answer)

    async def submit(self, sent: Mapping[str, Any]) -> PromptAnswer:
        """Takes a request that a plugin makes, as if it had been posted. Raises: Refused; JobConflict."""
        data = json.dumps(sent).encode()
        candidate, brief, is_new = await self.admit(submission.read(data), is_long=len(data) > SMALL)
        return await self._answer(candidate, brief, is_new)

    async def seen_by_plugins(self, sent: Submission, posted: Callable[[], Any]) -> Submission:
        """The request after plugins have seen it, and perhaps changed it. posted: the body of POST /prompt it is.

        Raises: Refused.
        """
        desk = self._dispatcher.plugin_desk
        if sent.is_foreign or desk.catalogue.asked() is None:
            return sent
        changed = await desk.on_prompt(posted(), sent.client_id)
        return submission.take({"prompt_id": sent.id, **changed} if sent.is_named else changed, sent.digest)

    async def _judged(self, sent: Submission, is_long: bool) -> Candidate:
        try:
            return await self._judge(sent, is_long)
        except Refused:
            # A list that a plugin's author computes may have grown since it was asked for.
            refresh = self._node_types.refresh
            if refresh is None or not await refresh():
                raise
        return await self._judge(sent, is_long)

    async def _judge(self, sent: Submission, is_long: bool) -> Candidate:
        registry = await self._node_types.registry()
        created = time.time_ns() // 1_000_000
        if is_long:
            candidate = await asyncio.to_thread(submission.judge, sent, registry, created, self._supply)
        else:
            candidate = submission.judge(sent, registry, created, self._supply)
        return await self._checked(candidate) if candidate.asks else candidate

    async def _checked(self, candidate: Candidate) -> Candidate:
        """The candidate after its nodes' authors were asked; those that nobody could ask are asked when it runs."""
        new = candidate.new
        found = await self._dispatcher.pool.check(new.prompt, new.outputs, PATIENCE_WITH_AUTHORS)
        if not isinstance(found, Mapping):
            return replace(candidate, new=replace(new, unvalidated=candidate.asks))
        node_errors = {**candidate.node_errors, **found["node_errors"]}
        if not found["accepted"]:
            raise refused_as(found["error"], node_errors)
        return replace(candidate, new=replace(new, outputs=found["outputs"]), node_errors=node_errors)

    async def _answer(self, candidate: Candidate, brief: Brief, is_new: bool) -> PromptAnswer:
        answer: PromptAnswer = {"prompt_id": brief.id, "number": brief.number, "node_errors": candidate.node_errors}
        if candidate.became is None:
            return answer
        # Choices in its texts were settled by chance; what counts is what was accepted the first time.
        stored = None if is_new else await self._jobs.get(brief.id)
        return {**answer, "prompt": candidate.became if stored is None else stored.prompt, "notes": candidate.notes}

    async def _answer_again(self, sent: Submission, error: Refused) -> web.Response:
        """A request that was accepted once stays accepted, though a file it names may be gone by now."""
        job = await self._jobs.get(sent.id) if sent.is_named else None
        if job is None or job.digest != sent.digest:
            raise error
        answer: PromptAnswer = {"prompt_id": job.id, "number": job.number, "node_errors": {}}
        if sent.is_foreign:
            answer = {**answer, "prompt": job.prompt, "notes": []}
        return await reply.long(lambda: answer)
