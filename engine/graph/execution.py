"""One prompt being executed, from its signatures to its last event. Made by Executor, used once.

The journey of a node: it is signed, found in the cache or planned, taken when its sources are done, asked which lazy
inputs it needs, called once or for each item of its lists, and its outputs are held until nobody needs them. A node
that answers with a graph waits for that graph and then takes its outputs for its own.
"""

import time
from asyncio import CancelledError
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import Cancelled, PromptError
from engine.graph.cache import Entry, Ui
from engine.graph.events import Cached, Finished, Started
from engine.graph.expanding import Expanding
from engine.graph.holding import Holding
from engine.graph.lists import Call, Lists, Outputs, as_result, calls, merge, merge_ui
from engine.graph.mutation import Contents, contents, refuse_mutation
from engine.graph.nodetype import Blocked
from engine.graph.outcome import Outcome
from engine.graph.plan import Plan
from engine.graph.report import Failure, Report
from engine.graph.step import BadNode, Step
from engine.graph.survey import Survey

PATIENCE = 0.05  # seconds between two looks at "cancelled?" while only coroutines are under way


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An async node that has been called and has not answered yet."""

    step: Step
    inputs: Lists
    before: Contents
    began: float


class Execution:
    """Runs one prompt once."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._equipment, self._request = survey.equipment, survey.request
        self._cache = survey.equipment.cache
        self._digest = survey.equipment.cache.storage.fingerprint
        self._steps, self._signatures = survey.steps, survey.signatures
        self._invoker, self._awaiting = survey.invoker, survey.awaiting
        self._plan = Plan(
            lambda node: self._steps[node].waits,
            is_output=lambda node: self._steps[node].traits.type.is_output,
            is_async=lambda node: self._steps[node].traits.is_async,
            is_available=self._recall,
        )
        self._held = Holding()
        self._expanding = Expanding(survey.graph, self._steps, self._signatures, self._held)
        self._report = Report(survey.request.emit, survey.graph, survey.equipment.advise)
        self._recalled: list[tuple[Step, Entry]] = []
        self._makers: dict[str, str] = {}
        self._under_way: dict[str, _UnderWay] = {}
        self._current: Step | None = None

    def run(self) -> Outcome:
        """Executes the prompt and tells about it in events, Finished always the last."""
        began = time.perf_counter()
        status, failure = "cancelled", None
        targets = self._survey.targets()
        try:
            self._prepare(targets)
            self._work()
            status = "succeeded"
        except Failure as stop:
            status, failure = "failed", stop
            self._request.emit(stop.event)
        except Cancelled:
            self._report.interrupted(self._current)
        except BaseException:  # Ctrl-C, or a client that cannot take its events
            self._report.interrupted(self._current)
            raise
        finally:
            self._awaiting.close()
            self._request.emit(Finished(status, time.perf_counter() - began))
        return Outcome(
            status,
            self._report.ui,
            {node: tuple([*slot] for slot in self._held[node]) for node in targets if node in self._held},
            tuple(self._report.executed),
            failure.event if failure else None,
            failure.error if failure else None,
            time.perf_counter() - began,
        )

    def _prepare(self, targets: Sequence[str]) -> None:
        try:
            self._survey.sign()
        except BadNode as error:
            self._request.emit(Started())
            raise self._report.failure(None, {}, error) from None
        self._request.emit(Started(tuple(self._survey.signed)))
        for node in targets:
            self._held.keep(node)
        self._expect(self._plan.want(targets))
        spared = self._spared(self._survey.signed)
        self._request.emit(Cached(tuple(spared)))
        self._tell_recalled()
        self._tell_inner(spared)
        self._tell_midway(spared)

    def _spared(self, order: Sequence[str]) -> list[str]:
        """The nodes that will not run: found in the cache, or only needed by those. Lazy inputs are still open."""
        may_run: set[str] = set()
        for node in reversed(order):  # those who need a node come before it
            if node in may_run or self._plan.is_planned(node):
                may_run.add(node)
                may_run.update(each for each in self._steps[node].sources if each not in self._held)
        return [node for node in order if node not in may_run]

    def _work(self) -> None:
        plan, awaiting, is_cancelled = self._plan, self._awaiting, self._request.is_cancelled
        while not plan.is_finished:
            if is_cancelled():
                raise Cancelled
            if awaiting:
                self._land(0.0)
                if plan.is_finished:  # that was the last one
                    break
            node = plan.next()
            if node is not None:
                self._visit(self._steps[node])
            elif awaiting:
                self._land(PATIENCE)
            else:
                raise self._deadlock()

    def _visit(self, step: Step) -> None:
        """Takes a node one stretch further: to its answer, to what it must wait for, or to its end."""
        self._current = step
        inputs: dict[str, list[Any]] = {}
        try:
            if step.node.id in self._expanding:
                self._take_over(step)
            elif not self._reuse(step):
                self._gather(step, inputs)
                self._begin(step, inputs)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a node's code is anybody's code
            raise self._report.failure(step, inputs, error) from None
        self._current = None

    def _reuse(self, step: Step) -> bool:
        """Whether the node's outputs have been made meanwhile: by its twin, or before what is above it was known."""
        is_new = self._signatures.is_outdated(step)
        signature = self._signatures.sign_again(step) if is_new else self._signatures[step.node.id]
        if signature is None or not (is_new or signature in self._makers):
            return False
        entry = self._cache.get(signature)
        if entry is None:
            twin = self._makers.get(signature)
            if twin is None or twin not in self._held:
                return False
            entry = Entry(self._held[twin], self._report.ui.get(twin), self._report.inner.get(twin, ()))
        self._report.cached(step, entry)
        self._settle(step, entry.outputs)
        return True

    def _gather(self, step: Step, inputs: dict[str, list[Any]]) -> None:
        """Fills in the lists the node gets; lazy inputs that nobody has computed stay out."""
        for name, value in step.constants.items():
            inputs[name] = [value]
        for name, link in step.links.items():
            if link.node in self._held:
                inputs[name] = self._held.items(link)

    def _begin(self, step: Step, inputs: dict[str, list[Any]]) -> None:
        if step.traits.lazy or step.traits.others is not None:
            needed = self._invoker.needs(step, inputs)
            if needed:
                self._expect(self._plan.need(step.id, [step.links[name].node for name in needed]))
                self._tell_recalled()
                return
            inputs.update({name: [None] for name in step.links if name not in inputs})
        arguments = calls(inputs, step.traits.type.input_is_list)
        if any(type(each) is Blocked for each in arguments):
            # ComfyUI: the first node that a message keeps from running tells it; those behind it stay silent.
            self._report.blocked(step, arguments)
            arguments = [Blocked() if type(each) is Blocked else each for each in arguments]
        if all(type(each) is Blocked for each in arguments):
            self._skip(step, arguments)
        else:
            self._call(step, inputs, arguments)

    def _skip(self, step: Step, answers: Sequence[Call]) -> None:
        """Nothing to call the node with: what blocked it goes on in place of its outputs."""
        self._settle(step, merge([as_result(each, step.type).values for each in answers], step.type.outputs))

    def _call(self, step: Step, inputs: Lists, arguments: Sequence[Call]) -> None:
        self._report.executing(step)
        if step.id in self._request.unvalidated:  # after its name was told, should its check take the process along
            refusal = self._invoker.refusal(step)
            if refusal is not None:
                raise PromptError(refusal)
        before = contents(inputs, self._digest) if self._equipment.catch_mutation else {}
        began = time.perf_counter()
        call = self._invoker.call
        answers = [each if isinstance(each, Blocked) else call(step, each, i) for i, each in enumerate(arguments)]
        if any(hasattr(type(each), "__await__") for each in answers):
            self._under_way[step.id] = _UnderWay(step, inputs, before, began)
            self._awaiting.start(step.id, answers)
        else:
            self._answer(_UnderWay(step, inputs, before, began), answers)

    def _land(self, timeout: float) -> None:
        """Takes in the async nodes that have answered."""
        for node, answers in self._awaiting.finished(timeout):
            call = self._under_way.pop(node)
            self._current = call.step
            try:
                self._answer(call, answers())
            except (Exception, SystemExit, CancelledError) as error:  # noqa: BLE001 -- as in _visit
                raise self._report.failure(call.step, call.inputs, error) from None
            self._current = None

    def _answer(self, call: _UnderWay, answers: Sequence[Any]) -> None:
        """What a node's calls returned becomes its outputs, or a graph in its place."""
        step, node_type = call.step, call.step.traits.type
        if call.before:
            refuse_mutation(call.before, call.inputs, self._digest)
        results = [as_result(each, node_type) for each in answers]
        ui = merge_ui(each.ui for each in results)
        if node_type.is_output:
            self._report.blocked(step, answers)
        if any(each.expand is not None for each in results):
            pending = self._expanding.begin(step, results, ui, call.began)
            self._expect(self._plan.became(step.id, pending.wanted))
            self._tell_recalled()
            return
        is_blocked = any(type(each) is Blocked for each in answers)
        outputs = merge([each.values for each in results], node_type.outputs)
        self._complete(step, outputs, ui, call.began, not is_blocked)

    def _take_over(self, step: Step) -> None:
        """The graph in a node's place is done: its outputs become the node's own."""
        pending, outputs, is_pure = self._expanding.finish(step)
        self._report.shown_inside(step, pending.children)
        self._complete(step, outputs, pending.ui, pending.began, is_pure)

    def _complete(self, step: Step, outputs: Outputs, ui: Ui | None, began: float, is_lasting: bool) -> None:
        """A node has run: its outputs go to the cache, to those who wait for them, and the client is told."""
        node, node_type = step.node.id, step.traits.type
        seconds = time.perf_counter() - began
        signature = self._signatures[node]
        if signature is not None and is_lasting:
            self._makers.setdefault(signature, node)
            self._equipment.inner.remember(signature, self._report.inner.get(node, ()))
            entry = Entry(outputs, ui, self._report.inner.get(node, ()))
            # What was shown is about files that may be gone when another process finds it.
            to_disk = ui is None and not node_type.is_output and not entry.inner
            self._cache.put(signature, entry, seconds=seconds, to_disk=to_disk)
        if signature is None or node_type.is_output or node_type.not_idempotent:
            self._held.keep(node)
        self._report.done(step, ui, seconds)
        self._settle(step, outputs)

    def _settle(self, step: Step, outputs: Outputs) -> None:
        """The outputs are there: what waited for them may go on, and what only they needed may go."""
        self._held.put(step.node.id, outputs)
        self._held.release(step.sources)
        self._plan.done(step.node.id)

    def _recall(self, node: str) -> bool:
        """Whether a node's outputs are there, or in the cache; asked whenever the plan reaches it."""
        if node in self._held:
            return True
        signature = self._signatures.get(node)
        entry = self._cache.get(signature) if signature is not None else None
        if entry is None:
            return False
        self._held.put(node, entry.outputs)
        self._recalled.append((self._steps[node], entry))
        return True

    def _expect(self, planned: Iterable[str]) -> None:
        for node in planned:
            self._held.expect(self._steps[node].sources)

    def _tell_recalled(self) -> None:
        for step, entry in self._recalled:
            self._report.cached(step, entry)
        self._recalled.clear()

    def _tell_inner(self, spared: Iterable[str]) -> None:
        """What nodes above the recalled ones showed from within: nobody has asked the cache for those."""
        inner = self._equipment.inner
        for node in spared if inner else ():
            shown = inner.get(self._signatures[node])
            if shown and node not in self._held:
                self._report.cached_inside(self._steps[node], shown)

    def _tell_midway(self, spared: Iterable[str]) -> None:
        """What nodes in the middle of the graph showed, for kinds whose authors want it shown at every run."""
        for node in spared:
            if "has_intermediate_output" in self._steps[node].traits.type.shown and node not in self._held:
                signature = self._signatures[node]
                entry = self._cache.get(signature) if signature is not None else None
                if entry is not None and entry.ui is not None:
                    self._report.cached(self._steps[node], entry)

    def _deadlock(self) -> Failure:
        waiting = self._plan.unfinished()
        message = f"these nodes wait for each other: {', '.join(waiting[:12])}; one of them is wired to what it becomes"
        return self._report.failure(self._steps[waiting[0]], {}, PromptError(message))
