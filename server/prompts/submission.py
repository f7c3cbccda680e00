"""What a client sends to POST /prompt becomes a job that may be accepted, or a refusal that says why.

Pure: bytes and node types come in. Beside a request as ComfyUI knows it, the editor's own format is taken, bare or as
the request's prompt, and a picture that carries either.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import uuid4

from engine.errors import PromptError
from engine.graph import ancestry, author_checks
from engine.graph.editor_format import is_editor_format
from engine.graph.marks import FileChoices
from engine.graph.nodetype import NodeType
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import validate
from server.jobs.job import NewJob
from server.protocol.prompts import NodeProblems, PromptProblem, PromptRefusal
from server.requests import body, fields
from server.requests.fields import BadField
from server.requests.refusal import Refused

MAX_REPORTED_NODES = 1000
"""Nodes whose errors are told; a prompt of 100,000 broken ones would be answered with 100 MB."""

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
_TEXTS_SENT_ALONG = ("auth_token_comfy_org", "api_key_comfy_org", "comfy_usage_source", "preview_method")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request, field by field.

    graph: the prompt in API JSON; or, when is_foreign, any file that a workflow is kept in: parsed JSON, a picture.
    is_named: the client chose the id, and may send the same request again. digest: of the whole body.
    """

    id: str
    is_named: bool
    graph: Any
    is_foreign: bool
    digest: str
    client_id: str | None = None
    number: float | None = None
    front: bool = False
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    targets: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A job that may be accepted, as far as its authors' functions need not be asked.

    asks: the nodes whose author wants to be asked. node_errors: why some outputs are left out. became: the prompt that
    a foreign graph was turned into, with notes about that.
    """

    new: NewJob
    asks: tuple[str, ...] = ()
    node_errors: Mapping[str, NodeProblems] = field(default_factory=dict)
    became: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


Supply = Callable[[Mapping[str, Any], Registry], None]
"""Brings what a prompt in API JSON loads, where it ships with this program, before that is looked for."""


def read(data: bytes) -> Submission:
    """Takes a request apart. Raises: Refused."""
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(_PICTURES):
        return Submission(id=str(uuid4()), is_named=False, graph=data, is_foreign=True, digest=digest)
    return take(body.parse(data), digest)


def take(sent: Any, digest: str) -> Submission:
    """The same with the parsed body of a request. digest: of the whole body. Raises: Refused."""
    if not isinstance(sent, dict):
        raise refusal("invalid_request", f"expected an object with a prompt, got {body.kind(sent)}")
    if "prompt" in sent:
        graph, around = sent["prompt"], sent
    else:
        graph, around = sent, {} if _is_bare_prompt(sent) else sent
    try:
        named = fields.text(around, "prompt_id")
        return Submission(
            id=str(uuid4()) if named is None else named,
            is_named=named is not None,
            graph=graph,
            is_foreign=graph is sent or is_editor_format(graph),
            digest=digest,
            client_id=fields.text_or_number(around, "client_id") or None,
            number=fields.number(around, "number"),
            front=fields.flag(around, "front"),
            extra_data=_extra_data(around),
            targets=fields.texts(around, "partial_execution_targets"),
        )
    except BadField as error:
        kind = "invalid_prompt_id" if error.field == "prompt_id" else "invalid_request"
        raise refusal(kind, str(error), extra_info={"field": error.field}) from error


def judge(submission: Submission, registry: Registry, created: int, supply: Supply | None = None) -> Candidate:
    """Whether a request can run, with every reason why not. Units: created is milliseconds since 1970.

    Raises: Refused.
    """
    _check_id(submission)
    became: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    try:
        if submission.is_foreign:
            submission, notes = _converted(submission, registry)
            became = submission.graph
        prompt = Prompt.from_json(submission.graph)
    except PromptError as error:
        raise refusal("invalid_prompt", str(error)) from error
    if supply is not None:
        supply(submission.graph, registry)
    found = validate(prompt, registry, submission.targets)
    node_errors = found.node_errors() if found.problems else {}
    fault = found.error()
    if fault is not None:
        raise refused_as(fault, node_errors)
    new = NewJob(
        id=submission.id,
        prompt=found.prompt.to_json(),
        outputs=found.outputs,
        created=created,
        extra_data=submission.extra_data,
        client_id=submission.client_id,
        number=submission.number,
        front=submission.front,
        digest=submission.digest,
        models=tuple(dict.fromkeys(_models(found.prompt, registry))),
    )
    asks = _asks(found.prompt, registry, found.outputs)
    return Candidate(new=new, asks=asks, node_errors=_first(node_errors), became=became and new.prompt, notes=notes)


def is_id(text: str) -> bool:
    """Whether a text can be the id of a job."""
    return _ID.fullmatch(text) is not None


def refusal(
    type: str, message: str, *, status: int = 400, details: str = "", extra_info: Mapping[str, Any] | None = None
) -> Refused:
    """A refusal in the shape that clients of POST /prompt read."""
    error = PromptProblem(type=type, message=message, details=details, extra_info=dict(extra_info or {}))
    return refused_as(error, {}, status)


def refused_as(error: Mapping[str, Any], node_errors: Mapping[str, NodeProblems], status: int = 400) -> Refused:
    """The same, with an error that is there already."""
    problem: PromptProblem = {
        "type": str(error.get("type", "")),
        "message": str(error.get("message", "")),
        "details": str(error.get("details", "")),
        "extra_info": error.get("extra_info") or {},
    }
    shown: PromptRefusal = {"error": problem, "node_errors": _first(node_errors)}
    return Refused(status, problem["message"], body=shown)


def _check_id(submission: Submission) -> None:
    if submission.is_named and not is_id(submission.id):
        message = f"prompt_id: expected a UUID in lower case with hyphens, got {body.kind(submission.id)}"
        raise refusal("invalid_prompt_id", message, extra_info={"field": "prompt_id"})


def _extra_data(around: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent along, with the parts checked that we read."""
    given = fields.mapping(around, "extra_data")
    named = {f"extra_data.{name}": value for name, value in given.items()}
    fields.mapping(named, "extra_data.extra_pnginfo")
    for name in _TEXTS_SENT_ALONG:
        fields.text(named, f"extra_data.{name}")
    return given


def _is_bare_prompt(sent: Mapping[str, Any]) -> bool:
    return any(isinstance(each, Mapping) and "class_type" in each for each in sent.values())


def _converted(submission: Submission, registry: Registry) -> tuple[Submission, tuple[str, ...]]:
    """The submission of the prompt that a foreign graph stands for, and what to know about it. Raises: PromptError."""
    from engine.graph import workflow_file  # brings Pillow along, which few servers ever need

    graph = submission.graph
    if isinstance(graph, Mapping) and not _holds_a_graph(graph):
        raise refusal("no_prompt", "No prompt provided", details=_keys(graph))
    found = workflow_file.read(graph, registry, prune=True, random=Random())
    extra = submission.extra_data
    info = extra.get("extra_pnginfo") or {}
    if found.workflow is not None and not info.get("workflow"):
        extra = {**extra, "extra_pnginfo": {**info, "workflow": found.workflow}}
    return replace(submission, graph=found.prompt, extra_data=extra), tuple(found.notes)


def _keys(sent: Mapping[str, Any]) -> str:
    return f"the keys are {body.kind(', '.join(sent))}" if sent else "the object is empty"


def _holds_a_graph(sent: Mapping[str, Any]) -> bool:
    inner = [sent.get(key) for key in ("workflow", "output")]
    return is_editor_format(sent) or _is_bare_prompt(sent) or any(isinstance(each, Mapping) and each for each in inner)


def _asks(prompt: Prompt, registry: Registry, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The needed nodes that only the process with their authors' code can judge."""
    if not any(author_checks.may_ask(each) for each in _types(prompt, registry)):
        return ()
    return author_checks.asked_elsewhere(prompt, registry, ancestry.needed(prompt, registry, outputs))


def _types(prompt: Prompt, registry: Registry) -> Iterable[NodeType]:
    found = (registry.get(name) for name in {each.class_type for each in prompt.nodes.values()})
    return (each for each in found if each is not None)


def _models(prompt: Prompt, registry: Registry) -> list[str]:
    """The names of the model files in a prompt."""
    names = []
    for node in prompt.nodes.values():
        node_type = registry.get(node.class_type)
        for each in node_type.inputs if node_type is not None else ():
            if isinstance(each.choices, FileChoices) and not each.choices.is_input:
                value = node.inputs.get(each.name)
                if isinstance(value, str) and value not in (*each.choices.before, *each.choices.also):
                    names.append(value)
    return names


def _first(node_errors: Mapping[str, NodeProblems]) -> Mapping[str, NodeProblems]:
    if len(node_errors) <= MAX_REPORTED_NODES:
        return node_errors
    return {name: node_errors[name] for name in list(node_errors)[:MAX_REPORTED_NODES]}
