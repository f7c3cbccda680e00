"""Variants: a choice brings the inputs of its class, and the function is handed an object of it."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from engine.graph.define import Files, Variants, Widget, Wire
from engine.graph.describe import input_config
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import validate
from tests.engine.graph.making import Lists, Loader, made, refusal

Mask = Annotated[object, Wire("MASK")]


@dataclass(frozen=True)
class Alone:
    pass


@dataclass(frozen=True)
class Together:
    """Several at once.

    first: Which of them leads.
    """

    first: Literal["left", "right"] = "left"
    count: Annotated[int, Widget(min=1, max=9)] = 2
    mask: Mask | None = None


Way = Annotated[Alone | Together, Variants({"alone": Alone, "together": Together}, tooltip="Which way.")]


def test_a_choice_brings_the_fields_of_its_class_and_the_function_gets_an_object() -> None:
    def thing(*, way: Way, a: int, loader: Loader) -> str:
        """Does.

        a: A number.
        """
        return f"{way!r} {a} {loader.load('x')}"

    built = made(thing, {Loader: Loader()})
    assert input_config(built.inputs[0]) == [
        "COMFY_DYNAMICCOMBO_V3",
        {
            "tooltip": "Which way.",
            "options": [
                {"key": "alone", "inputs": {}},
                {
                    "key": "together",
                    "inputs": {
                        "required": {
                            "first": [["left", "right"], {"tooltip": "Which of them leads.", "default": "left"}],
                            "count": ["INT", {"min": 1, "max": 9, "default": 2}],
                        },
                        "optional": {"mask": ["MASK", {}]},
                    },
                },
            ],
        },
    ]
    assert built.function(way="alone", a=1) == f"{Alone()!r} 1 loaded x"
    named = {"way": "together", "way.first": "right", "way.count": 3, "a": 1}
    assert built.function(**named) == f"{Together('right', 3)!r} 1 loaded x"


def test_a_prompt_gives_only_what_the_choice_brings() -> None:
    def thing(*, way: Way) -> str:
        """Does."""
        return repr(way)

    types = Registry([made(thing, is_output=True)])

    def problems(**inputs: Any) -> list[tuple[str, str]]:
        prompt = Prompt.from_json({"1": {"class_type": "Thing", "inputs": inputs}})
        return [(each.kind, str(each.input)) for each in validate(prompt, types).problems]

    assert problems(way="alone") == []
    assert problems(way="together") == [
        ("required_input_missing", "way.first"),
        ("required_input_missing", "way.count"),
    ]
    assert problems(way="together", **{"way.first": "up", "way.count": 10}) == [
        ("value_not_in_list", "way.first"),
        ("value_bigger_than_max", "way.count"),
    ]
    assert problems(way="never") == [("invalid_dynamic_input", "way")]


def test_coroutine_functions_take_choices_too_and_may_go_without() -> None:
    async def thing(*, way: Way | None = None) -> str:
        """Does."""
        return repr(way)

    function = made(thing).function
    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(function(way="together", **{"way.count": 4})) == repr(Together(count=4))
    assert asyncio.run(function()) == "None"


def test_choices_that_cannot_be_are_refused() -> None:
    class Bare:
        pass

    @dataclass(frozen=True)
    class Listing:
        name: Annotated[str, Files("vae")] = ""

    def bare(*, way: Annotated[Bare, Variants({"bare": Bare})]) -> str:
        """Does."""

    def listing(*, way: Annotated[Listing, Variants({"some": Listing})]) -> str:
        """Does."""

    def told(*, way: Way = "alone") -> str:
        """Does."""

    def lists(*, way: Way) -> str:
        """Does."""

    assert "way: choice 'bare' stands for Bare, which is no dataclass; write @dataclass above it" in refusal(bare)
    assert "choice 'some': name: neither Variants nor lists that change" in refusal(listing, {Lists: Lists()})
    assert "way: Variants have no default" in refusal(told)
    assert "way: Variants are not for nodes that take lists" in refusal(lists, input_is_list=True)
