"""A prompt looked at before it runs: which nodes are asked for, what they may need, and the signature of each."""

from engine.errors import PromptError
from engine.graph.awaiting import Awaiting
from engine.graph.expansion import DynamicPrompt
from engine.graph.invoke import Invoker
from engine.graph.request import Equipment, Request
from engine.graph.signature import Signatures
from engine.graph.step import Steps, in_order


class Survey:
    """What is known about a prompt without running it. `sign` fills `signed`: the nodes, sources first."""

    def __init__(self, equipment: Equipment, request: Request) -> None:
        self.equipment = equipment
        self.request = request
        self.awaiting = Awaiting()
        self.graph = DynamicPrompt(request.prompt)
        self.steps = Steps(self.graph.node, equipment.types)
        digest = equipment.cache.storage.fingerprint
        self.invoker = Invoker(
            self.graph,
            self.steps,
            request.emit,
            equipment.instances,
            digest,
            self.awaiting.resolve,
            request.is_cancelled,
            request.extra,
            request.job,
            request.attempt,
            request.preview_method,
        )
        self.signatures = Signatures(self.invoker.fingerprint, digest, equipment.salt)
        self.signed: list[str] = []

    def targets(self) -> list[str]:
        """The nodes that are asked for. Raises: PromptError, when the prompt does not have them."""
        prompt = self.request.prompt
        if self.request.targets is None:
            kinds = ((node.id, self.steps.knows(node.class_type)) for node in prompt.nodes.values())
            return [node for node, kind in kinds if kind is not None and kind.is_output]
        unknown = [each for each in self.request.targets if each not in prompt]
        if unknown:
            raise PromptError(f"asked to run {', '.join(map(repr, unknown))}, but the prompt has no such node")
        return [*dict.fromkeys(self.request.targets)]

    def sign(self) -> None:
        """Signs the targets and all they may need. Raises: PromptError, naming what cannot be run."""
        self.signed = in_order(self.targets(), lambda node: self.steps[node].sources)
        for node in self.signed:
            self.signatures.add(self.steps[node])

    def close(self) -> None:
        """Ends what authors' coroutines left behind."""
        self.awaiting.close()
