"""What the graph engine itself costs: milliseconds per node for graphs of nodes that do nothing.

    python benchmarks/engine.py [--sizes 10 100 1000 10000] [--repeat 5]

Chains, wide graphs, ladders of diamonds and trees; the first run, a run where everything is cached, and one where only
the last node has changed. Signatures, plan, cache and every event are part of it. The goal is 0.1 ms per node at every
size and shape, so the table should be flat. CPU time says what the engine costs; wall time also what else the machine
was doing.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.graph.events import Event
from engine.graph.executor import Executor
from engine.graph.nodetype import Input, NodeType, Output, Result
from engine.graph.prompt import Link, Node, Prompt

GOAL = 0.1  # ms per node
NUMBER = (Output("INT", "INT"),)
RUNS = ("first run", "all cached", "last changed")


@dataclass(frozen=True)
class Shape:
    """A way to wire nodes: their inputs, the last node being the one that is shown."""

    name: str
    build: Callable[[int], list[dict[str, object]]]


def chain(size: int) -> list[dict[str, object]]:
    """Each node hangs on the one before it."""
    return [{"a": Link(str(i - 1), 0)} if i else {"a": 1} for i in range(size)]


def wide(size: int) -> list[dict[str, object]]:
    """One source, many nodes that hang on it, and one node that takes them all."""
    middle = [{"a": Link("0", 0), "b": i} for i in range(1, size - 1)]
    return [{"a": 1}, *middle, {f"i{i}": Link(str(i), 0) for i in range(1, size - 1)}]


def ladder(size: int) -> list[dict[str, object]]:
    """Two nodes per rung, each wired to both of the rung below: the number of paths doubles with every rung."""
    nodes: list[dict[str, object]] = [{"a": 1}, {"a": 2}]
    while len(nodes) < size - 1:
        rung = (len(nodes) // 2 - 1) * 2
        nodes.append({"a": Link(str(rung), 0), "b": Link(str(rung + 1), 0), "c": len(nodes)})
    return [*nodes, {"a": Link(str(len(nodes) - 2), 0), "b": Link(str(len(nodes) - 1), 0)}]


def tree(size: int) -> list[dict[str, object]]:
    """Leaves first; every other node adds two below it."""
    nodes: list[dict[str, object]] = []
    for i in range(size):
        left, right = size - 1 - 2 * (size - 1 - i) - 1, size - 1 - 2 * (size - 1 - i) - 2
        wired = {name: Link(str(child), 0) for name, child in (("a", left), ("b", right)) if child >= 0}
        nodes.append({**wired, "c": i})
    return nodes


SHAPES = (Shape("chain", chain), Shape("wide", wide), Shape("ladder", ladder), Shape("tree", tree))


def node_types(size: int) -> dict[str, NodeType]:
    """A node that adds, one that takes as many inputs as there are nodes, one that shows."""
    inputs = tuple(Input(name, "INT", required=False) for name in "abc")
    many = tuple(Input(f"i{i}", "INT", required=False) for i in range(size))
    return {
        "Add": NodeType("Add", lambda a=0, b=0, c=0: (a + b + c) % 1_000_003, inputs, NUMBER),
        "Join": NodeType("Join", lambda **inputs: sum(inputs.values()), many, NUMBER),
        "Show": NodeType("Show", lambda a=0, b=0: Result(ui={"text": [str(a)]}), inputs, is_output=True),
    }


def prompt_of(shape: Shape, size: int, last: int = 0) -> Prompt:
    """The graph with its last node joined to one that shows it; `last` changes an input of that one."""
    wired = shape.build(size - 1)
    nodes = [Node(str(i), "Join" if "i1" in inputs else "Add", inputs) for i, inputs in enumerate(wired)]
    return Prompt.of([*nodes, Node("show", "Show", {"a": Link(str(size - 2), 0), "b": last})])


def measure(shape: Shape, size: int, repeat: int) -> list[tuple[float, float]]:
    """The shortest CPU and wall time of each kind of run. Units: milliseconds per node."""
    types = node_types(size)
    best = [(float("inf"), float("inf"))] * len(RUNS)
    for attempt in range(repeat):
        executor = Executor(types)
        first, changed = prompt_of(shape, size), prompt_of(shape, size, attempt + 1)
        expected = (size, 0, 1)
        for index, prompt in enumerate((first, first, changed)):
            events: list[Event] = []
            gc.collect()
            cpu, wall = time.process_time(), time.perf_counter()
            outcome = executor.execute(prompt, emit=events.append)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if outcome.status != "succeeded" or len(outcome.executed) != expected[index]:
                raise RuntimeError(f"{shape.name} {size} {RUNS[index]}: {outcome.status}, ran {len(outcome.executed)}")
            scale = 1000 / size
            best[index] = (min(best[index][0], cpu * scale), min(best[index][1], wall * scale))
    return best


def main() -> int:
    """Prints the table; the exit code is 1 when a figure is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    print(f"{'ms per node':>16}" + "".join(f"{each + ' cpu':>18}{'wall':>8}" for each in RUNS))
    worst = 0.0
    for shape in SHAPES:
        for size in options.sizes:
            figures = measure(shape, size, options.repeat * max(1, 100 // size))
            worst = max(worst, *(cpu for cpu, _ in figures))
            row = "".join(f"{cpu:18.4f}{wall:8.4f}" for cpu, wall in figures)
            print(f"{shape.name:>8}{size:>8}{row}", flush=True)
    print(f"worst: {worst:.4f} ms of CPU per node (goal: {GOAL})")
    return 0 if worst <= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
