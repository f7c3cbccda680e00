"""Runs prompts: plan, cache, lists and events put together. The only room others enter to have a graph run."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.graph.cache import Cache
from engine.graph.events import Emit, Event
from engine.graph.execution import Execution
from engine.graph.explain import Explanation, Record, differences, records
from engine.graph.failure import Advise, advise
from engine.graph.invoke import Instances
from engine.graph.outcome import Outcome
from engine.graph.prompt import Prompt
from engine.graph.request import Equipment, InnerShown, Request
from engine.graph.run import never
from engine.graph.step import NodeTypes
from engine.graph.survey import Survey

__all__ = ["Executor", "Outcome", "PlannedNode"]


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One line of a plan: a node, in the order of a run, and whether its outputs are in the cache."""

    node: str
    class_type: str
    title: str | None
    is_output: bool
    is_cached: bool
    outputs: tuple[str, ...]
    """The types of its outputs."""
    sources: tuple[str, ...]


class Executor:
    """Runs prompts one after the other, or several at once from several threads; all share one cache.

    salt: whatever results depend on besides the graph, such as the version of the nodes; it keeps entries on disk
    apart. advise: what to tell the user to do about an error. catch_mutation: fail nodes that change their inputs in
    place (for tests: every value is read before and after every call).
    """

    def __init__(
        self,
        types: NodeTypes,
        cache: Cache | None = None,
        *,
        salt: str = "",
        advise: Advise = advise,
        catch_mutation: bool = False,
    ) -> None:
        self.cache = cache if cache is not None else Cache()
        self._equipment = Equipment(types, self.cache, Instances(), InnerShown(), advise, salt, catch_mutation)
        self._last: Mapping[str, Record] = {}

    def execute(
        self,
        prompt: Prompt,
        *,
        targets: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
        emit: Emit | None = None,
        is_cancelled: Callable[[], bool] = never,
        unvalidated: Collection[str] = (),
        job: str = "",
        attempt: int = 1,
        preview_method: str | None = None,
    ) -> Outcome:
        """Runs what the targets need and is not in the cache.

        targets: any nodes; None means every output node. extra: what came along with the prompt ({"workflow": …}).
        unvalidated: nodes whose author's validation could not be asked before; it is asked when they run.
        job, attempt, preview_method: who the run is for and how it is shown, as nodes are told it (see Run).
        Returns: how it went; a node's error is in it, not raised.
        Raises: PromptError, when a target is not in the prompt.
        """
        request = Request(
            prompt=prompt,
            emit=emit or _nobody,
            targets=targets,
            extra=extra or {},
            is_cancelled=is_cancelled,
            unvalidated=unvalidated,
            job=job,
            attempt=attempt,
            preview_method=preview_method,
        )
        self._equipment.instances.keep_only(prompt.nodes)
        survey = Survey(self._equipment, request)
        outcome = Execution(survey).run()
        self._last = records(survey)
        return outcome

    def forget(self) -> None:
        """Lets go of everything in memory that a later run might have used: results, and the objects of nodes."""
        self.cache.clear()
        self._equipment.instances.keep_only({})
        self._last = {}

    def renew(self, class_types: Collection[str]) -> None:
        """The code of these node types has been replaced: their objects are made anew. Results stay; see salt."""
        self._equipment.instances.drop(class_types)

    def explain(self, prompt: Prompt, node: str) -> Explanation:
        """Says whether a node would be taken from the cache, and if not, which input made the difference.

        Raises: PromptError, when the node or something above it cannot be run.
        """
        survey = self._look(prompt, [node])
        now = records(survey)
        signature = survey.signatures[node]
        is_cached = signature is not None and signature in self.cache
        changed = () if is_cached or node not in self._last else differences(node, self._last, now)
        return Explanation(node, is_cached, node in self._last, changed)

    def plan_report(self, prompt: Prompt, targets: Sequence[str] | None = None) -> list[PlannedNode]:
        """The nodes a run would look at, in order, with what is in the cache; runs nothing.

        Raises: PromptError, when a target or something above it cannot be run.
        """
        survey = self._look(prompt, targets)
        report = []
        for node in survey.signed:
            step, signature = survey.steps[node], survey.signatures[node]
            report.append(
                PlannedNode(
                    node,
                    step.node.class_type,
                    step.node.title,
                    step.type.is_output,
                    signature is not None and signature in self.cache,
                    tuple(each.type for each in step.type.outputs),
                    step.sources,
                )
            )
        return report

    def _look(self, prompt: Prompt, targets: Sequence[str] | None) -> Survey:
        survey = Survey(self._equipment, Request(prompt=prompt, emit=_nobody, targets=targets))
        try:
            survey.sign()
        finally:
            survey.close()
        return survey


def _nobody(event: Event) -> None:
    """Takes events nobody asked for."""
