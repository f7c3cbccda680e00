"""A small world of node types over whole numbers, enough to show everything a node may do."""

import math
import re
from dataclasses import dataclass, field

from engine.graph.executor import Executor, Outcome
from engine.graph.nodetype import Blocked, Input, NodeType, Output, Result
from engine.graph.prompt import Prompt

INT = (Output("INT", "INT"),)
MODULUS = 10_007


@dataclass
class World:
    """What nodes can see outside the graph, and what has happened to them."""

    file: int = 0
    now: int = 0
    calls: list[str] = field(default_factory=list)


def integer(name: str, **options: object) -> Input:
    return Input(name, "INT", required=False, options=options)


def inputs(*names: str) -> tuple[Input, ...]:
    return tuple(integer(name) for name in names)


def wire(node: str, slot: int = 0) -> list[object]:
    return [node, slot]


def api(**nodes: tuple[str, dict]) -> Prompt:
    """A prompt from {id: (class, inputs)}; n1 stands for the id "1"."""
    json = {re.sub(r"^n(?=\d)", "", key): node(kind, **given) for key, (kind, given) in nodes.items()}
    return Prompt.from_json(json)


def run(executor: Executor, prompt: Prompt, **options: object) -> tuple[Outcome, list]:
    events: list = []
    return executor.execute(prompt, emit=events.append, **options), events


def show(v: int = 0) -> Result:
    return Result(ui={"text": [str(v)]})


def switch_needs(cond: int = 0, x: object = None, y: object = None) -> list[str]:
    return ["x" if cond % 2 else "y"]


def count_down(n: int = 0) -> Result:
    """n + (n - 1) + … by a graph that holds this node again."""
    n = n % 4
    if n == 0:
        return Result((0,))
    inner = {"rest": {"class_type": "CountDown", "inputs": {"n": n - 1}}}
    inner["sum"] = {"class_type": "Add", "inputs": {"a": n, "b": ["rest", 0]}}
    return Result((["sum", 0],), expand=inner)


def show_inside(v: int = 0) -> Result:
    return Result((["1", 0],), expand={"1": node("Add", a=v, b=1), "2": node("Show", v=["1", 0])})


def double(v: int = 0) -> Result:
    return Result((["2", 0],), expand={"1": node("Add", a=v), "2": node("Add", a=["1", 0], b=["1", 0])})


def node(class_type: str, **given: object) -> dict:
    return {"class_type": class_type, "inputs": given}


def types(world: World) -> dict[str, NodeType]:
    def named(name, function):
        def counted(**given):
            world.calls.append(name)
            return function(**given)

        return counted

    def of(name, function, *args, **kwargs):
        return NodeType(name, named(name, function), *args, **kwargs)

    return {
        each.id: each
        for each in (
            of("Add", lambda a=0, b=0: (a + b) % MODULUS, inputs("a", "b"), INT),
            of("Both", lambda v=0: (v, (v * v + 1) % MODULUS), inputs("v"), (*INT, Output("square", "INT"))),
            of("Range", lambda n=0: [*range(n % 4)], inputs("n"), (Output("INT", "INT", is_list=True),)),
            of("Sum", lambda v=(0,): sum(v) % MODULUS, inputs("v"), INT, input_is_list=True),
            of(
                "Switch",
                lambda cond=0, x=None, y=None: x if cond % 2 else y,
                (integer("cond"), integer("x", lazy=True), integer("y", lazy=True)),
                INT,
                check_lazy=switch_needs,
            ),
            of("Stop", lambda v=0: Blocked(f"stop {v}" if v % 2 else None) if v % 3 == 0 else v, inputs("v"), INT),
            of("CountDown", count_down, inputs("n"), INT),
            of("Double", double, inputs("v"), INT),
            of("File", lambda v=0: (world.file + v) % MODULUS, inputs("v"), INT, fingerprint=lambda: world.file),
            of("Now", lambda v=0: (world.now + v) % MODULUS, inputs("v"), INT, fingerprint=lambda: math.nan),
            of("ReadInside", lambda v=0: Result((["1", 0],), expand={"1": node("File", v=v)}), inputs("v"), INT),
            of("NowInside", lambda v=0: Result((["1", 0],), expand={"1": node("Now", v=v)}), inputs("v"), INT),
            of("ShowInside", show_inside, inputs("v"), INT),
            of("Show", show, inputs("v"), is_output=True),
        )
    }


SHOW = ("Show", {"v": wire("1")})


def executor_of(*extra: NodeType, world: World | None = None, **options) -> Executor:
    known = types(world or World())
    return Executor({**known, **{each.id: each for each in extra}}, **options)


def of_kind(events, kind):
    return [each for each in events if isinstance(each, kind)]


def text(outcome, node_id="show"):
    return outcome.ui[node_id]["text"]


def source(function, **options) -> NodeType:
    """A node type "Node" around a function of no or any inputs."""
    return NodeType("Node", function, inputs("a", "b"), INT, **options)
