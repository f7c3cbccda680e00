"""engine.graph.editor_widgets: the row of stored values is read as the editor wrote it, rule by rule."""

from typing import Any

import pytest

from engine.graph.editor_graph import EditorNode, Slot
from engine.graph.editor_widgets import widget_values
from engine.graph.nodetype import Input, NodeType


def type_of(*inputs: Input) -> NodeType:
    return NodeType("T", inputs=inputs)


def values(node_type: NodeType | None, row: Any = None, *, named: Any = None, slots: tuple[Slot, ...] = ()) -> Any:
    stored = tuple(row) if row is not None else None
    return widget_values(EditorNode("1", "T", values=stored, named=named, inputs=slots), node_type).values


STEPS, NAME = Input("steps", "INT", options={"default": 20}), Input("name", "STRING", options={"default": "n"})
SOCKET, FLAG = Input("model", "MODEL"), Input("flag", "BOOLEAN")
UPLOAD = Input("image", "COMBO", choices=("a.png", "b.png"), options={"image_upload": True})


def seed(**options: Any) -> Input:
    return Input("seed", "INT", options=options)


@pytest.mark.parametrize("options", [{}, {"control_after_generate": True}, {"control_after_generate": "fixed"}])
@pytest.mark.parametrize("control", ["fixed", "randomize", "increment", True, False, None])
def test_what_happens_to_a_seed_after_a_run_is_skipped(options: dict[str, Any], control: Any) -> None:
    assert values(type_of(SOCKET, seed(**options), STEPS), [5, control, 30]) == {"seed": 5, "steps": 30}


def test_a_seed_whose_control_is_turned_off_has_none() -> None:
    assert values(type_of(seed(control_after_generate=False), STEPS), [5, 30]) == {"seed": 5, "steps": 30}


def test_only_seeds_have_a_control_unless_they_say_so() -> None:
    assert values(type_of(Input("other", "INT"), NAME), [5, "fixed"]) == {"other": 5, "name": "fixed"}
    controlled = Input("other", "INT", options={"control_after_generate": True})
    assert values(type_of(controlled, NAME), [5, "fixed", "x"]) == {"other": 5, "name": "x"}


def test_a_combo_with_a_control_has_a_filter_behind_it() -> None:
    combo = Input("c", "COMBO", choices=("a", "b"), options={"control_after_generate": True})
    assert values(type_of(combo, NAME), ["b", "increment-wrap", "filter", "x"]) == {"c": "b", "name": "x"}


def test_a_file_without_the_control_its_type_has_now_is_still_read() -> None:
    assert values(type_of(seed(), STEPS), [5, 30]) == {"seed": 5, "steps": 30}


def test_a_file_with_a_control_its_type_has_no_more_is_still_read() -> None:
    assert values(type_of(seed(control_after_generate=False), STEPS), [5, "randomize", 30]) == {"seed": 5, "steps": 30}


def test_upload_buttons_stand_at_the_end_of_the_required_ones() -> None:
    assert values(type_of(UPLOAD), ["x.png", "image"]) == {"image": "x.png"}
    optional = Input("later", "STRING", required=False)
    assert values(type_of(optional, UPLOAD), ["x.png", "image", "words"]) == {"image": "x.png", "later": "words"}
    assert values(type_of(optional, UPLOAD), ["x.png", "words"]) == {"image": "x.png", "later": "words"}


def test_required_ones_come_before_optional_ones_whatever_the_order_of_the_type() -> None:
    assert values(type_of(Input("b", "INT", required=False), STEPS), [1, 2]) == {"steps": 1, "b": 2}


def test_widgets_turned_into_inputs_keep_their_place() -> None:
    slots = (Slot("steps", "INT", link="3", is_widget=True),)
    assert values(type_of(STEPS, NAME), [7, "x"], slots=slots) == {"steps": 7, "name": "x"}


def test_inputs_that_must_be_wired_have_a_place_only_in_old_files() -> None:
    forced = Input("seed", "INT", options={"forceInput": True})
    assert values(type_of(forced, STEPS, NAME), [7, "x"]) == {"steps": 7, "name": "x"}
    assert values(type_of(forced, STEPS, NAME), [0, "fixed", 7, "x"]) == {"steps": 7, "name": "x"}


def test_what_a_short_row_lacks_is_the_default() -> None:
    combo = Input("c", "COMBO", choices=("a", "b"))
    new = Input("c2", "COMBO", options={"options": ["k"]})
    blank = (Input("i", "INT"), Input("f", "FLOAT"), Input("s", "STRING"), FLAG)
    assert values(type_of(NAME, STEPS, combo, new, *blank), ["x"]) == {
        "name": "x",
        "steps": 20,
        "c": "a",
        "c2": "k",
        "i": 0,
        "f": 0.0,
        "s": "",
        "flag": False,
    }


def test_a_combo_without_choices_and_a_widget_without_an_empty_value_are_left_out() -> None:
    assert values(type_of(Input("c", "COMBO", choices=()), Input("colour", "COLOR"))) == {}


def test_what_a_row_has_too_much_is_ignored() -> None:
    assert values(type_of(STEPS), [7, 8, "x"]) == {"steps": 7}


def test_a_hole_is_filled_with_the_default() -> None:
    assert values(type_of(STEPS, NAME), [None, "x"]) == {"steps": 20, "name": "x"}


def test_values_by_name_need_no_order() -> None:
    named = {"name": "x", "control_after_generate": "fixed", "$$preview": "p", "crf": 19, "seed": 3, "odd": {"a": 1}}
    assert values(type_of(seed(), STEPS, NAME), [1, 2, 3], named=named) == {
        "seed": 3,
        "steps": 20,
        "name": "x",
        "crf": 19,
    }


def test_a_list_is_wrapped_because_it_would_be_taken_for_a_link() -> None:
    assert values(type_of(NAME), [["1", 0]]) == {"name": {"__value__": ["1", 0]}}
    curve = Input("curve", "CURVE")
    assert values(type_of(curve), [[[0, 0], [1, 1]]]) == {"curve": {"__type__": "CURVE", "__value__": [[0, 0], [1, 1]]}}


RESIZE = Input(
    "resize",
    "COMFY_DYNAMICCOMBO_V3",
    options={
        "options": [
            {"key": "factor", "inputs": {"required": {"by": ["FLOAT", {"default": 2.0}]}}},
            {
                "key": "size",
                "inputs": {
                    "required": {"width": ["INT", {"default": 8}], "crop": [["no", "centre"], {}]},
                    "optional": {"mask": ["MASK", {}]},
                },
            },
        ]
    },
)


@pytest.mark.parametrize("is_combo_type", [True, False])
def test_a_dynamic_combo_brings_the_inputs_of_its_option(is_combo_type: bool) -> None:
    resize = RESIZE
    if not is_combo_type:  # as describe.read leaves it
        resize = Input(RESIZE.name, RESIZE.type, choices=tuple(RESIZE.options["options"]))
    chosen = {"resize": "size", "resize.width": 512, "resize.crop": "centre", "name": "x"}
    assert values(type_of(resize, NAME), ["size", 512, "centre", "x"]) == chosen
    assert values(type_of(resize, NAME), named=chosen) == chosen
    assert values(type_of(resize, NAME), ["factor", 1.5, "x"]) == {"resize": "factor", "resize.by": 1.5, "name": "x"}
    assert values(type_of(resize)) == {"resize": "factor", "resize.by": 2.0}


def test_a_growing_group_has_as_many_widgets_as_slots() -> None:
    group = Input("values", "COMFY_AUTOGROW_V3", options={"template": {"input": {"required": {"v": ["FLOAT", {}]}}}})
    slots = tuple(Slot(f"values.{letter}", "FLOAT", is_widget=True) for letter in "ab")
    assert values(type_of(group, NAME), [1.0, 2.0, "x"], slots=slots) == {"values.a": 1.0, "values.b": 2.0, "name": "x"}
    sockets = Input("images", "COMFY_AUTOGROW_V3", options={"template": {"input": {"required": {"i": ["IMAGE", {}]}}}})
    assert values(type_of(sockets, NAME), ["x"], slots=(Slot("images.image0", "IMAGE"),)) == {"name": "x"}


def test_without_a_type_names_come_from_slots_if_there_is_one_for_each_value() -> None:
    slots = (Slot("model", "MODEL"), Slot("seed", "INT", is_widget=True), Slot("name", "STRING", is_widget=True))
    assert values(None, [5, "randomize", "x"], slots=slots) == {"seed": 5, "name": "x"}
    assert values(None, named={"a": 1, "upload": "image"}) == {"a": 1}
    unknown = widget_values(EditorNode("1", "T", values=(1, 2, 3), inputs=slots), None)
    assert (unknown.values, unknown.is_known) == ({}, False)
