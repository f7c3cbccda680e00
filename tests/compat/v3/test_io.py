from typing import Any

import pytest

TYPES = {
    "Accumulation": "ACCUMULATION", "AnyType": "*", "Audio": "AUDIO", "AudioEncoder": "AUDIO_ENCODER",
    "AudioEncoderOutput": "AUDIO_ENCODER_OUTPUT", "BBOX": "BBOX", "Boolean": "BOOLEAN", "BoundingBox": "BOUNDING_BOX",
    "Clip": "CLIP", "ClipVision": "CLIP_VISION", "ClipVisionOutput": "CLIP_VISION_OUTPUT", "Combo": "COMBO",
    "Conditioning": "CONDITIONING", "ControlNet": "CONTROL_NET", "FaceAnalysis": "FACE_ANALYSIS", "Float": "FLOAT",
    "FlowControl": "FLOW_CONTROL", "Gligen": "GLIGEN", "Guider": "GUIDER", "HookKeyframes": "HOOK_KEYFRAMES",
    "Hooks": "HOOKS", "Image": "IMAGE", "Int": "INT", "Latent": "LATENT", "LatentOperation": "LATENT_OPERATION",
    "LatentUpscaleModel": "LATENT_UPSCALE_MODEL", "LoraModel": "LORA_MODEL", "LossMap": "LOSS_MAP", "Mask": "MASK",
    "Mesh": "MESH", "Model": "MODEL", "MODEL_PATCH": "MODEL_PATCH", "Noise": "NOISE", "Photomaker": "PHOTOMAKER",
    "Point": "POINT", "SEGS": "SEGS", "SVG": "SVG", "Sampler": "SAMPLER", "Sigmas": "SIGMAS", "String": "STRING",
    "StyleModel": "STYLE_MODEL", "TimestepsRange": "TIMESTEPS_RANGE", "Tracks": "TRACKS",
    "UpscaleModel": "UPSCALE_MODEL", "Vae": "VAE", "Video": "VIDEO", "Voxel": "VOXEL",
    "WanCameraEmbedding": "WAN_CAMERA_EMBEDDING", "Webcam": "WEBCAM",
}  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_every_type_has_inputs_and_outputs_of_its_name(names: None, name: str) -> None:
    from comfy_api.latest import io

    kind = getattr(io, name)
    given = kind.Input("a", optional=True, tooltip="t")
    made = kind.Output("b", display_name="B", tooltip="t", is_output_list=True)
    assert (kind.io_type, given.get_io_type(), made.get_io_type()) == (TYPES[name],) * 3
    assert (given.id, given.optional, given.as_dict()["tooltip"]) == ("a", True, "t")
    assert (made.id, made.display_name, made.tooltip, made.is_output_list) == ("b", "B", "t", True)


def test_types_do_not_share_their_inputs(names: None) -> None:
    from comfy_api.latest import io

    one, other = io.Custom("ONE"), io.Custom("OTHER")
    assert one.Input("a").io_type == "ONE"
    assert other.Input("a").io_type == "OTHER"
    assert isinstance(one.Input("a"), io.Input)
    assert not isinstance(one.Input("a"), io.WidgetInput)
    assert isinstance(io.Int.Input("a"), io.WidgetInput)


def test_an_author_makes_a_type_with_inputs_of_its_own(names: None) -> None:
    from comfy_api.latest import io

    @io.comfytype(io_type="CURVE_OF_MINE")
    class Curve(io.ComfyTypeIO):
        Type = list

        class Input(io.Input):
            def __init__(self, id: str, points: int, **more: Any) -> None:
                super().__init__(id, **more)
                self.points = points

            def as_dict(self) -> dict[str, Any]:
                return {**super().as_dict(), "points": self.points}

    assert Curve.Input("c", 3, tooltip="t").as_dict() == {"tooltip": "t", "points": 3}
    assert (Curve.Input("c", 3).get_io_type(), Curve.Output().get_io_type()) == ("CURVE_OF_MINE",) * 2
    assert io.Image.Input("i").get_io_type() == "IMAGE"


def test_a_node_output_can_be_read_like_a_tuple(names: None) -> None:
    from comfy_api.latest import io

    output = io.NodeOutput(1, "two", ui={"text": ["x"]})
    assert (output[0], output[1], output.result, [*output]) == (1, "two", (1, "two"), [1, "two"])
    assert output.ui == {"text": ["x"]}
    assert io.NodeOutput().result is None
    assert io.NodeOutput(block_execution="why").block_execution == "why"


def test_hidden_values_that_were_not_asked_for_are_none(names: None) -> None:
    from comfy_api.latest import io

    class Node(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            return io.Schema("Node", is_api_node=True, hidden=[io.Hidden.unique_id])

    locked = Node.PREPARE_CLASS_CLONE({io.Hidden.unique_id: "3"})
    assert (locked.hidden.unique_id, locked.hidden.prompt, locked.hidden.anything) == ("3", None, None)
    assert Node.hidden.unique_id is None
    assert issubclass(locked, Node)
    assert [each.name for each in Node.GET_SCHEMA().hidden] == [
        "unique_id", "auth_token_comfy_org", "api_key_comfy_org",
    ]  # fmt: skip
    with pytest.raises(AttributeError, match="V3 nodes keep no state"):
        locked.value = 1
    with pytest.raises(AttributeError, match="V3 nodes keep no state"):
        del locked.hidden


@pytest.mark.parametrize("wrong", [{"inputs": ["x"]}, {"outputs": [3]}])
def test_what_is_no_input_is_refused(names: None, wrong: dict[str, Any]) -> None:
    from comfy_api.latest import io

    with pytest.raises(TypeError, match="N: expected inputs and outputs such as"):
        io.Schema("N", **wrong).validate()


@pytest.mark.parametrize(("low", "high"), [(3, 2), (-1, 2), (0, 101)])
def test_a_group_without_room_is_refused(names: None, low: int, high: int) -> None:
    from comfy_api.latest import io

    with pytest.raises(ValueError, match="0 ≤ min ≤ max ≤ 100"):
        io.Autogrow.TemplatePrefix(input=io.Int.Input("x"), prefix="x", min=low, max=high)


def test_a_match_needs_its_template(names: None) -> None:
    from comfy_api.latest import io

    with pytest.raises(ValueError, match=r"needs a MatchType\.Template"):
        io.MatchType.Output("a")


def test_names_that_are_not_there_are_named(names: None) -> None:
    import comfy_api
    from comfy_api import latest, torch_helpers, v0_0_1, v0_0_2
    from comfy_api.latest import io, ui

    for module in (comfy_api, latest, io, ui, v0_0_1, v0_0_2, torch_helpers):
        with pytest.raises(AttributeError, match=rf"{module.__name__}\.OfTomorrow: this member of ComfyUI"):
            _ = module.OfTomorrow
