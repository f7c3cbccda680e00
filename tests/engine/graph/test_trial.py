"""Nodes tried by themselves."""

import subprocess
import sys
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from engine.errors import NodeFailed, NodeTypeError, PromptError
from engine.graph.define import Widget, Wire, node
from engine.graph.events import Progress
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.graph.trial import try_node

Number = Annotated[int, Wire("NUMBER")]


@node("Shout", category="text")
def shout(
    *, text: str, times: Annotated[int, Widget(min=1, max=3)] = 2, mark: Literal["!", "?"] = "!", run: Run
) -> str:
    """Says it louder."""
    for each in range(times):
        run.progress(each + 1, times)
    return text.upper() + mark * times


def test_defaults_are_filled_in_and_progress_is_heard() -> None:
    tried = try_node(shout, text="hello")
    assert tried.value == "HELLO!!"
    assert [(each.value, each.maximum) for each in tried.events if isinstance(each, Progress)] == [(1, 2), (2, 2)]
    assert try_node(shout, text="hello", times=1, mark="?").value == "HELLO?"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"times": 4}, "times"),
        ({"mark": "#"}, "mark"),
        ({"times": "many"}, "times"),
        ({"loud": True}, "no input 'loud'; it takes: text, times, mark"),
    ],
)
def test_what_a_prompt_may_not_say_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(PromptError, match=words):
        try_node(shout, text="hello", **given)


class Parts(NamedTuple):
    whole: int
    rest: int


@node("Divide", category="numbers")
def divide(*, number: Number, by: int = 2, also: Number | None = None) -> Parts:
    """Divides with a remainder."""
    return Parts(*divmod(number + (also or 0), by))


def test_sockets_take_values_and_outputs_have_names() -> None:
    assert try_node(divide, number=7).values == {"whole": 3, "rest": 1}
    assert try_node(divide, number=7, also=3, by=5).values == {"whole": 2, "rest": 0}
    with pytest.raises(PromptError, match="number"):
        try_node(divide)
    with pytest.raises(NodeFailed, match="zero"):
        try_node(divide, number=7, by=0)


@node("Tell", category="numbers", outputs=(), is_output=True)
def tell(*, number: Number) -> Result:
    """Shows a number."""
    return Result(ui={"text": [str(number)]})


def test_what_is_shown_can_be_looked_at() -> None:
    assert try_node(tell, number=3).shown == {"text": ["3"]}


class Store:
    word = "kept"


@node("Recall", category="text")
def recall(*, store: Store) -> str:
    """Says what is stored."""
    return store.word


def test_services_are_given() -> None:
    assert try_node(recall, {Store: Store()}).value == "kept"
    with pytest.raises(NodeTypeError, match="store"):
        try_node(recall)


def test_trying_needs_no_torch() -> None:
    code = "import sys, engine.graph.trial; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
