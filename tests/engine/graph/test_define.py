"""Annotated functions become node types; an author's slip becomes a message that says what to write."""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import pytest

from engine.errors import NodeTypeError
from engine.graph.define import Choices, Each, Files, Hidden, Widget, Wire, node, node_type
from engine.graph.nodetype import Blocked, Input, Output, Result
from engine.graph.run import Run
from tests.engine.graph.making import Lists, Loader, made, refusal


class Tensor:
    """Stands for a value on a wire."""


Image = Annotated[Tensor, Wire("IMAGE")]
Mask = Annotated[Tensor, Wire("MASK")]
Conditioning = Annotated[list[Any], Wire("CONDITIONING")]


class Pair(NamedTuple):
    positive: Conditioning
    negative: Conditioning


def test_the_signature_becomes_the_inputs_in_its_order() -> None:
    def thing(
        *,
        image: Image,
        seed: Annotated[int, Widget(min=0, max=2**64 - 1, control_after_generate=True)] = 0,
        cfg: Annotated[float, Widget(min=0.0, max=100.0, step=0.1, round=0.01)] = 8,
        text: Annotated[str, Widget(multiline=True, dynamicPrompts=True)],
        on: bool = True,
        crop: Literal["disabled", "center"],
        sampler: Annotated[str, Choices(["euler", "heun"])] = "heun",
        mask: Mask | None = None,
        strength: Annotated[float, Widget(min=0.0)] | None = 0.5,
    ) -> Image:
        """Does."""

    assert made(thing).inputs == (
        Input("image", "IMAGE"),
        Input("seed", "INT", options={"min": 0, "max": 2**64 - 1, "control_after_generate": True, "default": 0}),
        Input("cfg", "FLOAT", options={"min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01, "default": 8.0}),
        Input("text", "STRING", options={"multiline": True, "dynamicPrompts": True}),
        Input("on", "BOOLEAN", options={"default": True}),
        Input("crop", "COMBO", choices=("disabled", "center")),
        Input("sampler", "COMBO", choices=("euler", "heun"), options={"default": "heun"}),
        Input("mask", "MASK", required=False),
        Input("strength", "FLOAT", required=False, options={"min": 0.0, "default": 0.5}),
    )
    assert isinstance(made(thing).input("cfg").options["default"], float)


def test_the_function_stays_callable() -> None:
    @node("Add", category="math")
    def add(*, a: int, b: int = 1) -> int:
        """Adds."""
        return a + b

    assert add(a=2) == 3
    assert node_type(add).function is add


def test_outputs_are_named_by_fields_or_by_type() -> None:
    def pair(*, a: int) -> Pair:
        """Both."""

    def single(*, a: int) -> Image:
        """One."""

    def many(*, a: int) -> list[Image]:
        """A list."""

    def several(*, a: int) -> tuple[Image, int, float, str, bool, Literal["a"]]:
        """Several."""

    def maybe(*, a: int) -> Image | Blocked | None:
        """One, or nothing."""

    def conditioning(*, a: int) -> Conditioning:
        """A wire that carries a list is no list of wires."""

    assert made(pair).outputs == (Output("positive", "CONDITIONING"), Output("negative", "CONDITIONING"))
    assert made(single).outputs == (Output("IMAGE", "IMAGE"),)
    assert made(many).outputs == (Output("IMAGE", "IMAGE", is_list=True),)
    assert [each.type for each in made(several).outputs] == ["IMAGE", "INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"]
    assert made(maybe).outputs == (Output("IMAGE", "IMAGE"),)
    assert made(conditioning).outputs == (Output("CONDITIONING", "CONDITIONING"),)


def test_outputs_can_be_stated_where_the_return_type_cannot() -> None:
    def expands(*, a: int) -> Result:
        """Becomes something else."""

    assert made(expands, outputs=Pair).outputs == made(expands, outputs=[*made(expands, outputs=Pair).outputs]).outputs
    assert made(expands, outputs=list[Image]).outputs == (Output("IMAGE", "IMAGE", is_list=True),)
    assert made(expands, outputs=[Image, Output("n", "INT")]).outputs == (Output("IMAGE", "IMAGE"), Output("n", "INT"))
    assert made(expands, outputs={"first": Image}).outputs == (Output("first", "IMAGE"),)
    assert made(expands, is_output=True).outputs == ()


def test_a_node_that_takes_lists_says_so_around_its_types() -> None:
    def rebatch(
        *,
        images: list[Image],
        conditioning: list[Conditioning],
        size: Annotated[list[int], Widget(min=1)] = [1],  # noqa: B006
        other: list[Annotated[int, Widget(min=2)]] | None = None,
    ) -> list[Image]:
        """Rebatches."""

    assert made(rebatch, input_is_list=True).inputs == (
        Input("images", "IMAGE"),
        Input("conditioning", "CONDITIONING"),
        Input("size", "INT", options={"min": 1, "default": 1}),
        Input("other", "INT", required=False, options={"min": 2}),
    )
    assert made(rebatch, input_is_list=True).input_is_list


def test_the_docstring_gives_description_and_tooltips() -> None:
    def thing(*, image: Image, seed: Annotated[int, Widget(tooltip="my own")] = 0) -> Pair:
        """Draws a picture
        from noise.

        image: what to begin with,
            in any size
        seed: not shown, the mark says it
        positive: what to draw
        Returns: nothing people see.
        """

    described = made(thing)
    assert described.description == "Draws a picture from noise."
    assert [each.options.get("tooltip") for each in described.inputs] == [
        "what to begin with, in any size",
        "my own",
    ]
    assert [each.tooltip for each in described.outputs] == ["what to draw", ""]


def test_services_are_bound_and_stay_out_of_the_inputs() -> None:
    def load(*, name: Annotated[str, Files("vae", also=("pixel_space",))], loader: Loader, run: Run) -> str:
        """Loads."""
        return f"{run.node_id}: {loader.load(name)}"

    lists = Lists()
    described = made(load, {Loader: Loader(), Lists: lists})
    assert [each.name for each in described.inputs] == ["name"]
    assert described.hidden == {"run": "RUN"}
    assert described.function(name="a", run=Run("5", emit=lambda event: None)) == "5: loaded a"
    assert described.inputs[0].current_choices() == ("vae/a.safetensors", "pixel_space")
    lists.files.append("b.safetensors")
    assert described.inputs[0].current_choices() == ("vae/a.safetensors", "vae/b.safetensors", "pixel_space")


def test_uploaded_files_are_a_list_too() -> None:
    def load(*, image: Annotated[str, Files("input", image_upload=True)]) -> Image:
        """Loads."""

    image = made(load, {Lists: Lists()}).inputs[0]
    assert image.current_choices() == ("photo.png",)
    assert image.options == {"image_upload": True}


def test_hidden_inputs_and_unions_and_options_of_wires() -> None:
    def thing(
        *,
        me: Annotated[str, Hidden("UNIQUE_ID")],
        number: Annotated[int | float, Wire("INT,FLOAT", lazy=True)],
        seed: Annotated[int, Widget(forceInput=True)],
        raw: Annotated[Any, Wire("*", rawLink=True)] = None,
    ) -> int:
        """Does."""

    def needs(*, number: float | None, seed: int) -> Sequence[str]:
        return ["number"] if number is None and seed else []

    with pytest.raises(NodeTypeError, match=r"raw: its default is None; say so in the type: `… \| None = None`"):
        made(thing, check_lazy=needs)
    del thing.__kwdefaults__["raw"]
    described = made(thing, check_lazy=needs)
    assert described.hidden == {"me": "UNIQUE_ID"}
    assert described.inputs == (
        Input("number", "INT,FLOAT", options={"lazy": True}),
        Input("seed", "INT", options={"forceInput": True}),
        Input("raw", "*", options={"rawLink": True}),
    )
    # It is called as the function is: with every input, of which it takes the ones it names.
    assert described.check_lazy(number=None, seed=1, raw=["1", 0], me="7") == ["number"]


def test_an_async_function_is_still_one_after_binding() -> None:
    async def fetch(*, name: str, loader: Loader) -> str:
        """Fetches."""
        return loader.load(name)

    described = made(fetch, {Loader: Loader()})
    assert inspect.iscoroutinefunction(described.function)
    assert asyncio.run(described.function(name="x")) == "loaded x"


def test_hooks_name_the_inputs_they_take_and_get_services() -> None:
    def thing(*, name: str, seed: int = 0) -> int:
        """Does."""

    def fingerprint(name: str, loader: Loader) -> str:
        return loader.load(name)

    def validate(seed: int, input_types: dict[str, str]) -> bool | str:
        return seed > 0 or "too small"

    def everything(**inputs: Any) -> bool:
        return True

    described = made(thing, {Loader: Loader()}, fingerprint=fingerprint, validate=validate)
    assert described.fingerprint_inputs == ("name",)
    assert described.fingerprint(name="a") == "loaded a"
    assert described.validate_inputs == ("seed", "input_types")
    assert described.validate(seed=0, input_types={}) == "too small"
    assert made(thing, validate=everything).validate_inputs is None


def test_what_the_decorator_was_told_is_kept() -> None:
    def thing(*, a: int) -> None:
        """Does."""

    described = made(
        thing,
        display_name="The Thing",
        is_output=True,
        not_idempotent=True,
        is_deprecated=True,
        is_experimental=True,
        is_api=True,
        python_module="comfy_extras.nodes_thing",
    )
    assert (described.id, described.category, described.display_name) == ("Thing", "test", "The Thing")
    assert described.is_output
    assert described.not_idempotent
    assert described.is_deprecated
    assert described.is_experimental
    assert described.is_api
    assert described.python_module == "comfy_extras.nodes_thing"


def positional(a: int) -> int: ...
def bare(*, a) -> int: ...
def foreign(*, a: Tensor) -> int: ...
def none_default(*, a: int = None) -> int: ...  # noqa: RUF013
def wire_default(*, a: Image = 3) -> int: ...
def silent(*, a: int): ...
def pointless(*, a: int) -> None: ...
def unwired(*, a: int) -> Tensor: ...
def union(*, a: int | str) -> int: ...
def either(*, a: int) -> Image | Mask: ...
def misspelled(*, a: Annotated[str, Widget(dynamic_prompts=True)]) -> int: ...
def wrong_option(*, a: Annotated[int, Widget(multiline=True)]) -> int: ...
def upside_down(*, a: Annotated[int, Widget(min=5, max=4)]) -> int: ...
def outside(*, a: Annotated[int, Widget(min=5)] = 4) -> int: ...
def wrong_default(*, a: int = "x") -> int: ...
def bool_default(*, a: int = True) -> int: ...
def nan_default(*, a: float = float("nan")) -> int: ...
def unknown_choice(*, a: Literal["x", "y"] = "z") -> int: ...
def files(*, a: Annotated[str, Files("vae")]) -> int: ...
def undefined(*, a: "Nowhere") -> int: ...  # noqa: F821
def late(*, a: int | None = None, b: int) -> int: ...
def lazy(*, a: Annotated[Tensor, Wire("IMAGE", lazy=True)]) -> int: ...
def plain(*, a: int) -> int: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, "a: arguments are keyword-only"),
        (bare, "a: has no annotation"),
        (foreign, "a: Tensor is no wire"),
        (none_default, "a: its default is None"),
        (wire_default, "a: a IMAGE wire has no default"),
        (silent, "does not say what it returns"),
        (pointless, "no outputs and is no output node"),
        (unwired, "what it returns: Tensor is no wire"),
        (union, "a: int | str is no wire"),
        (either, "returns one of several types"),
        (misspelled, "a: STRING has no option 'dynamic_prompts'; did you mean dynamicPrompts?"),
        (wrong_option, "a: INT has no option 'multiline'"),
        (upside_down, "a: min 5 is above max 4"),
        (outside, "a: its default 4 is outside its range"),
        (wrong_default, "a: its default 'x' is no INT"),
        (bool_default, "a: its default True is no INT"),
        (nan_default, "a: its default nan"),
        (unknown_choice, "a: its default 'z' is not among"),
        (files, "a: Files('vae') needs the folders"),
        (undefined, "an annotation cannot be read: name 'Nowhere'"),
        (late, "b is required but comes after optional a"),
        (lazy, "a is lazy, but nothing says when"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_authors_slip_is_named_with_its_function(function: Callable[..., Any], said: str) -> None:
    message = refusal(function)
    assert message.startswith("node 'Thing' (")
    assert f".{function.__name__})" in message
    assert said in message


def test_hooks_that_do_not_fit_are_refused() -> None:
    def hook(b: int) -> bool:
        return True

    assert "its validate takes 'b', which is no input (a)" in refusal(plain, validate=hook)
    assert "its fingerprint takes 'b'" in refusal(plain, fingerprint=hook)
    assert "has check_lazy, but no lazy input" in refusal(plain, check_lazy=hook)


def test_a_function_without_the_mark_is_no_node() -> None:
    with pytest.raises(NodeTypeError, match=r"is no node; put @node\(id, category=…\) above it"):
        node_type(lambda: None)


def test_the_engine_fills_in_only_what_it_knows() -> None:
    with pytest.raises(NodeTypeError, match="Hidden\\('SECRET'\\): the engine knows UNIQUE_ID"):
        Hidden("SECRET")


def test_one_argument_stands_for_many_inputs_whose_names_are_not_pythons():
    @node("Blocks", category="x")
    def blocks(
        *, a: int, **ratios: Annotated[float, Widget(min=0.0, max=1.0), Each(("in.0.", "out."), default=1.0)]
    ) -> float:
        """Add ratios."""
        return sum(ratios.values())

    made = node_type(blocks)
    assert [(each.name, each.type, each.options.get("default")) for each in made.inputs] == [
        ("a", "INT", None),
        ("in.0.", "FLOAT", 1.0),
        ("out.", "FLOAT", 1.0),
    ]
    assert made.function(a=1, **{"in.0.": 0.25, "out.": 0.5}) == 0.75


def test_other_arguments_by_any_name_are_no_inputs():
    @node("Anything", category="x")
    def anything(*, a: int, **others: float) -> float: ...

    with pytest.raises(NodeTypeError, match="others: arguments are keyword-only"):
        node_type(anything)
