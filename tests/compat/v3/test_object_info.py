import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from compat.host import Host
from engine.graph.describe import describe, object_info, read, snapshot
from engine.graph.prompt import Prompt
from engine.graph.registry import Registry
from engine.graph.validate import Validation, validate

SHADE = {
    "input": {
        "required": {
            "size": ["INT", {"default": 8, "min": 1, "max": 64, "display": "slider"}],
            "grey": [
                "FLOAT",
                {"tooltip": "how light", "default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01, "round": 0.001},
            ],
            "mode": ["COMBO", {"default": "light", "multiselect": False, "options": ["dark", "light"]}],
        },
        "optional": {
            "note": ["STRING", {"multiline": True}],
            "twice": ["BOOLEAN", {"default": False, "label_on": "two", "label_off": "one"}],
        },
    },
    "input_order": {"required": ["size", "grey", "mode"], "optional": ["note", "twice"]},
    "is_input_list": False,
    "output": ["IMAGE", "FLOAT"],
    "output_is_list": [False, False],
    "output_name": ["picture", "level"],
    "output_tooltips": ["the picture", None],
    "name": "V3Shade",
    "display_name": "Shade",
    "description": "Makes a grey picture.",
    "python_module": "custom_nodes.v3_pack",
    "category": "v3/test",
    "output_node": False,
    "deprecated": False,
    "experimental": False,
    "api_node": False,
    "has_intermediate_output": False,
    "search_aliases": ["grey"],
    "dev_only": False,
    "essentials_category": None,
    "price_badge": None,
}


def test_the_entry_is_what_the_papers_say(pack: ModuleType, host: Host) -> None:
    assert describe(host.registry["V3Shade"]) == SHADE


def test_hidden_values_are_lists_and_output_nodes_get_theirs_unasked(pack: ModuleType, host: Host) -> None:
    entry = describe(host.registry["V3Who"])
    assert entry["input"]["hidden"] == {
        "unique_id": ["UNIQUE_ID"],
        "dynprompt": ["DYNPROMPT"],
        "prompt": ["PROMPT"],
        "extra_pnginfo": ["EXTRA_PNGINFO"],
    }
    assert entry["input"]["required"] == {"prompt": ["STRING", {"default": "", "multiline": False}]}


def test_dynamic_inputs_are_described_by_what_they_may_become(pack: ModuleType, host: Host) -> None:
    term = {"required": {"number": ["FLOAT", {"default": 0.0}]}}
    assert describe(host.registry["V3Sum"])["input"] == {
        "required": {
            "terms": ["COMFY_AUTOGROW_V3", {"template": {"input": term, "prefix": "t", "min": 2, "max": 5}}],
        },
        "optional": {"named": ["COMFY_AUTOGROW_V3", {"template": {"input": term, "names": ["x", "y"], "min": 0}}]},
    }
    kind, options = describe(host.registry["V3Resize"])["input"]["required"]["how"]
    assert kind == "COMFY_DYNAMICCOMBO_V3"
    assert options["options"][1] == {
        "key": "to size",
        "inputs": {"required": {"width": ["INT", {"min": 1}], "height": ["INT", {"min": 1}]}},
    }
    entry = describe(host.registry["V3Either"])
    template = {"template_id": "T", "allowed_types": "IMAGE,MASK"}
    assert entry["input"]["required"]["one"] == ["COMFY_MATCHTYPE_V3", {"template": template}]
    assert (entry["output"], entry["output_matchtypes"]) == (["COMFY_MATCHTYPE_V3"] * 2, ["T", "T"])
    assert entry["output_name"] == ["either", "again"]
    assert describe(host.registry["V3Pairing"])["input"]["required"]["first"] == [
        "FLOAT,INT",
        {"default": 1.5, "widgetType": "FLOAT"},
    ]


def test_the_server_shows_the_same_and_validates_alike(pack: ModuleType, host: Host) -> None:
    ours = [each for each in host.registry if each.python_module.startswith("custom_nodes")]
    assert len(ours) > 15
    sent = json.loads(json.dumps([snapshot(each) for each in ours]))
    theirs = [read(each) for each in sent]
    assert object_info(theirs) == json.loads(json.dumps(object_info(ours)))
    graph = {
        "s": {"class_type": "V3Shade", "inputs": {"size": 100, "grey": 0.5, "mode": "dim"}},
        "1": {"class_type": "V3Sum", "inputs": {"terms.t0": ["s", 1], "terms.t9": 1}},
        "2": {"class_type": "V3Resize", "inputs": {"image": ["s", 1], "how": "by magic"}},
        "3": {"class_type": "V3Show", "inputs": {"value": ["1", 0], "how": "text"}},
        "4": {"class_type": "V3Show", "inputs": {"value": ["2", 0], "how": "text"}},
    }
    prompt = Prompt.from_json(graph)
    here, there = (kinds(validate(prompt, Registry(types))) for types in (ours, theirs))
    assert here == {
        ("s", "value_bigger_than_max"),
        ("s", "value_not_in_list"),
        ("1", "required_input_missing"),
        ("1", "invalid_dynamic_input"),
        ("2", "return_type_mismatch"),
        ("2", "invalid_dynamic_input"),
    }
    # A list that only its author's code can read is left to the process that has the code.
    assert there | {("s", "value_not_in_list")} == here


def kinds(found: Validation) -> set[tuple[str | None, str]]:
    return {(each.node, each.kind) for each in found.problems}


def test_the_attributes_of_v1_follow_from_the_schema(pack: ModuleType) -> None:
    shade, slow, many = pack.Shade, pack.Slow, pack.Many
    assert shade.INPUT_TYPES()["required"]["size"] == ("INT", {"default": 8, "min": 1, "max": 64, "display": "slider"})
    assert (shade.RETURN_TYPES, shade.RETURN_NAMES) == (["IMAGE", "FLOAT"], ["picture", "level"])
    assert (shade.CATEGORY, shade.DESCRIPTION) == ("v3/test", "Makes a grey picture.")
    assert (shade.FUNCTION, slow.FUNCTION) == ("EXECUTE_NORMALIZED", "EXECUTE_NORMALIZED_ASYNC")
    assert shade.OUTPUT_TOOLTIPS == ["the picture", None]
    assert (many.INPUT_IS_LIST, many.OUTPUT_IS_LIST) == (True, [True, False])
    flags = (pack.Who.OUTPUT_NODE, shade.DEPRECATED, shade.EXPERIMENTAL, shade.API_NODE, pack.Raw.NOT_IDEMPOTENT)
    assert flags == (True, False, False, False, True)
    assert shade.GET_SCHEMA().outputs[1].id == "level"
    assert slow.GET_SCHEMA().outputs[0].id == "_0_IMAGE_"
    assert shade.RELATIVE_PYTHON_MODULE == "custom_nodes.v3_pack"
    assert shade.GET_NODE_INFO_V1()["name"] == "V3Shade"
    v3 = shade.GET_NODE_INFO_V3()
    assert v3["input"]["size"]["type"] == "INT"
    assert v3["output"]["level"]["type"] == "FLOAT"
    assert v3["hidden"] == []


def test_a_v1_caller_gets_something_it_can_index(pack: ModuleType) -> None:
    function = getattr(pack.Shade(), pack.Shade.FUNCTION)
    returned = function(size=2, grey=0.25, mode="dark")
    assert returned[1] == 0.75
    assert returned.result[1] == 0.75
    picture, _ = returned
    assert picture.shape == (1, 2, 2, 3)


Check = Callable[..., list[Any]]


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (lambda io: io.Int.Input("x"), ["INT", {}]),
        (lambda io: io.Int.Input("x", control_after_generate=True, force_input=True, socketless=False),
         ["INT", {"control_after_generate": True, "forceInput": True, "socketless": False}]),
        (lambda io: io.Int.Input("x", control_after_generate=io.ControlAfterGenerate.fixed),
         ["INT", {"control_after_generate": "fixed"}]),
        (lambda io: io.Float.Input("x", "Shown", False, "tip", True, 0.5, advanced=True),
         ["FLOAT", {"display_name": "Shown", "tooltip": "tip", "lazy": True, "default": 0.5, "advanced": True}]),
        (lambda io: io.String.Input("x", placeholder="p", dynamic_prompts=True),
         ["STRING", {"multiline": False, "placeholder": "p", "dynamicPrompts": True}]),
        (lambda io: io.Combo.Input("x", ["a"], upload=io.UploadType.image, image_folder=io.FolderType.input),
         ["COMBO", {"multiselect": False, "options": ["a"], "image_upload": True, "image_folder": "input"}]),
        (lambda io: io.Combo.Input("x", upload=io.UploadType.model),
         ["COMBO", {"multiselect": False, "options": [], "file_upload": True}]),
        (lambda io: io.Combo.Input("x", remote=io.RemoteOptions("/r", True, timeout=5)),
         ["COMBO", {"multiselect": False, "options": [], "remote": {
             "route": "/r", "refresh_button": True, "control_after_refresh": "first", "timeout": 5}}]),
        (lambda io: io.MultiCombo.Input("x", ["a", "b"], default=["a"], placeholder="p", chip=True),
         ["COMBO", {"default": ["a"], "multiselect": True, "options": ["a", "b"],
                    "multi_select": {"placeholder": "p", "chip": True}}]),
        (lambda io: io.Image.Input("x", extra_dict={"mine": 1}), ["IMAGE", {"mine": 1}]),
        (lambda io: io.Model.Input("x", raw_link=True, of_tomorrow=2), ["MODEL", {"rawLink": True, "of_tomorrow": 2}]),
        (lambda io: io.AnyType.Input("x"), ["*", {}]),
        (lambda io: io.Custom("MINE").Input("x"), ["MINE", {}]),
        (lambda io: io.MultiType.Input("x", [io.Image, io.Mask]), ["IMAGE,MASK", {}]),
        (lambda io: io.MatchType.Input("x", io.MatchType.Template("t")),
         ["COMFY_MATCHTYPE_V3", {"template": {"template_id": "t", "allowed_types": "*"}}]),
        (lambda io: io.Webcam.Input("x"), ["WEBCAM", {}]),
    ],
)  # fmt: skip
def test_keyword_arguments_become_the_options_browsers_know(names: None, make: Any, config: list[Any]) -> None:
    from comfy_api.latest import io

    class Node(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Node", inputs=[make(io)])

        @classmethod
        def execute(cls, **inputs: Any) -> None:
            return None

    from compat.v3.adapter import node_type

    made = node_type(Node, "custom_nodes.x")
    assert describe(made)["input"]["required"] == {"x": config}
    assert object_info([read(snapshot(made))])["Node"]["input"]["required"] == {"x": config}
    (shown,) = Node.INPUT_TYPES()["required"].values()
    assert [*shown] == config
