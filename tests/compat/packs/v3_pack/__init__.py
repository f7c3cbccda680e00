"""A pack of V3 nodes as an author would write it, one for each thing the interface offers."""

import asyncio
from enum import Enum

import torch
from comfy_api.latest import ComfyAPI, ComfyExtension, io, ui
from comfy_execution.graph_utils import ExecutionBlocker, GraphBuilder

api = ComfyAPI()
Pair = io.Custom("V3_PAIR")
seen: list = []


class Mode(Enum):
    DARK = "dark"
    LIGHT = "light"


class Shade(io.ComfyNode):
    """Widgets of every kind, and the picture they make."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Shade",
            display_name="Shade",
            category="v3/test",
            description="Makes a grey picture.",
            inputs=[
                io.Int.Input("size", default=8, min=1, max=64, display_mode=io.NumberDisplay.slider),
                io.Float.Input("grey", default=0.5, min=0.0, max=1.0, step=0.01, round=0.001, tooltip="how light"),
                io.Combo.Input("mode", options=Mode, default=Mode.LIGHT),
                io.String.Input("note", multiline=True, optional=True),
                io.Boolean.Input("twice", default=False, label_on="two", label_off="one", optional=True),
            ],
            outputs=[io.Image.Output(display_name="picture", tooltip="the picture"), io.Float.Output("level")],
            search_aliases=["grey"],
            a_keyword_of_tomorrow=1,
        )

    @classmethod
    def execute(cls, size, grey, mode, note="none", twice=False) -> io.NodeOutput:
        level = 1.0 - grey if mode == "dark" else grey
        return io.NodeOutput(torch.full((2 if twice else 1, size, size, 3), level), level)


class Who(io.ComfyNode):
    """What a node is told."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Who",
            inputs=[io.String.Input("prompt", default="")],  # called as a hidden value is
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, prompt):
        hidden = cls.hidden
        text = f"{prompt}|{hidden.unique_id}|{sorted(hidden.prompt)}|{hidden.extra_pnginfo}|{hidden.nothing}"
        assert hidden.dynprompt.has_node(hidden.unique_id)
        return io.NodeOutput(ui=ui.PreviewText(text))


class Stateful(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("V3Stateful", outputs=[io.Int.Output()])

    @classmethod
    def execute(cls):
        cls.count = 1
        return io.NodeOutput(1)


class Careful(io.ComfyNode):
    """Checks, fingerprints and lazy inputs."""

    file = 0

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="V3Careful",
            inputs=[
                io.Boolean.Input("left"),
                io.AnyType.Input("a", lazy=True, optional=True),
                io.AnyType.Input("b", lazy=True, optional=True),
                io.Int.Input("limit", default=1, min=0, max=10),
            ],
            outputs=[io.AnyType.Output("chosen")],
        )

    @classmethod
    def validate_inputs(cls, limit):
        return True if limit <= 12 else f"{limit} is too much"

    @classmethod
    def fingerprint_inputs(cls, **inputs):
        return cls.file

    @classmethod
    def check_lazy_status(cls, left, a=None, b=None, **rest):
        return ["a"] if left and a is None else ["b"] if not left and b is None else []

    @classmethod
    def execute(cls, left, limit, a=None, b=None):
        seen.append(("careful", left))
        return io.NodeOutput(a if left else b)


class Slow(io.ComfyNode):
    """Async, with progress."""

    @classmethod
    def define_schema(cls):
        return io.Schema("V3Slow", inputs=[io.Image.Input("image")], outputs=[io.Image.Output()])

    @classmethod
    async def execute(cls, image):
        await asyncio.sleep(0.01)
        await api.execution.set_progress(1, 2, preview_image=image)
        return (1.0 - image,)


class Pairing(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "V3Pairing",
            inputs=[io.MultiType.Input(io.Float.Input("first", default=1.5), [io.Int]), io.Int.Input("second")],
            outputs=[Pair.Output("pair")],
        )

    @classmethod
    def execute(cls, first, second):
        return io.NodeOutput((first, second))


class Unpair(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("V3Unpair", inputs=[Pair.Input("pair")], outputs=[io.Float.Output(), io.Int.Output()])

    @classmethod
    def execute(cls, pair):
        return io.NodeOutput(*pair)


class Sum(io.ComfyNode):
    """A group that grows, by a prefix, and one by names."""

    @classmethod
    def define_schema(cls):
        number = io.Float.Input("number", default=0.0)
        return io.Schema(
            "V3Sum",
            inputs=[
                io.Autogrow.Input("terms", template=io.Autogrow.TemplatePrefix(input=number, prefix="t", min=2, max=5)),
                io.Autogrow.Input(
                    "named", template=io.Autogrow.TemplateNames(input=number, names=["x", "y"], min=0), optional=True
                ),
            ],
            outputs=[io.Float.Output("sum"), io.String.Output("said")],
        )

    @classmethod
    def execute(cls, terms: io.Autogrow.Type, named: io.Autogrow.Type | None = None):
        return io.NodeOutput(sum(terms.values()), f"{terms} {named}")


class Resize(io.ComfyNode):
    """A combo that brings inputs along."""

    @classmethod
    def define_schema(cls):
        option = io.DynamicCombo.Option
        return io.Schema(
            "V3Resize",
            inputs=[
                io.Image.Input("image"),
                io.DynamicCombo.Input(
                    "how",
                    options=[
                        option("by factor", [io.Float.Input("factor", default=1.0, min=0.1, max=8.0)]),
                        option("to size", [io.Int.Input("width", min=1), io.Int.Input("height", min=1)]),
                        option("not", []),
                    ],
                ),
            ],
            outputs=[io.Image.Output(), io.String.Output("said")],
        )

    @classmethod
    def validate_inputs(cls, how):
        return "a prime" if how.get("width") == 7 else True

    @classmethod
    def execute(cls, image, how):
        height, width = image.shape[1:3]
        if how["how"] == "by factor":
            height, width = int(height * how["factor"]), int(width * how["factor"])
        elif how["how"] == "to size":
            height, width = how["height"], how["width"]
        made = torch.nn.functional.interpolate(image.movedim(-1, 1), size=(height, width)).movedim(1, -1)
        return io.NodeOutput(made, str(how))


class Either(io.ComfyNode):
    """Inputs and an output of one type, whichever it is."""

    @classmethod
    def define_schema(cls):
        same = io.MatchType.Template("T", allowed_types=[io.Image, io.Mask])
        return io.Schema(
            "V3Either",
            inputs=[
                io.Boolean.Input("first"),
                io.MatchType.Input("one", template=same),
                io.MatchType.Input(same, "other"),
            ],
            outputs=[io.MatchType.Output(same, display_name="either"), io.MatchType.Output("again", same)],
        )

    @classmethod
    def execute(cls, first, one, other):
        return io.NodeOutput(one if first else other, other)


class Opaque(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("V3Opaque", inputs=[io.Image.Input("image")], outputs=[io.Mask.Output()])

    @classmethod
    def execute(cls, image):
        return io.NodeOutput(torch.ones(image.shape[:3]))


class Many(io.ComfyNode):
    """Lists in, lists out."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            "V3Many",
            inputs=[io.Int.Input("n"), io.Int.Input("times")],
            outputs=[io.Int.Output("all", is_output_list=True), io.Int.Output("count")],
            is_input_list=True,
        )

    @classmethod
    def execute(cls, n, times):
        return io.NodeOutput(n * times[0], len(n))


class Numbers(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("V3Numbers", outputs=[io.Int.Output(is_output_list=True)])

    @classmethod
    def execute(cls):
        return io.NodeOutput([1, 2, 3])


class Grow(io.ComfyNode):
    """A graph in its own place, with a built-in node in it."""

    @classmethod
    def define_schema(cls):
        return io.Schema("V3Grow", inputs=[io.Image.Input("image")], outputs=[io.Image.Output()], enable_expand=True)

    @classmethod
    def execute(cls, image):
        graph = GraphBuilder()
        inverted = graph.node("ImageInvert", image=image)
        return io.NodeOutput(inverted.out(0), expand=graph.finalize())


class Gate(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "V3Gate",
            inputs=[io.Combo.Input("how", options=["open", "message", "blocker", "dict"])],
            outputs=[io.Image.Output(), io.Int.Output()],
        )

    @classmethod
    def execute(cls, how):
        image = torch.zeros(1, 2, 2, 3)
        if how == "message":
            return io.NodeOutput(block_execution="closed")
        if how == "blocker":
            return io.NodeOutput(ExecutionBlocker(None), 3)
        if how == "dict":
            return {"result": (image, 4), "ui": {"text": ["from a dict"]}}
        return image, 2


class Raw(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            "V3Raw",
            inputs=[io.AnyType.Input("link", raw_link=True)],
            outputs=[io.String.Output()],
            not_idempotent=True,
        )

    @classmethod
    def execute(cls, link):
        seen.append("raw")
        return io.NodeOutput(str(link))


class Anything(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema("V3Anything", inputs=[], outputs=[io.String.Output()], accept_all_inputs=True)

    @classmethod
    def execute(cls, **inputs):
        return io.NodeOutput(str(sorted(inputs.items())))


class Show(io.ComfyNode):
    """Every way to show something."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            "V3Show",
            inputs=[
                io.AnyType.Input("value"),
                io.Combo.Input("how", ["text", "image", "mask", "audio", "save", "webp"]),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value, how):
        made = {
            "text": lambda: ui.PreviewText(str(value)),
            "image": lambda: ui.PreviewImage(value, cls=cls),
            "mask": lambda: ui.PreviewMask(value, cls=cls),
            "audio": lambda: ui.PreviewAudio({"waveform": value, "sample_rate": 8000}, cls=cls),
            "save": lambda: ui.ImageSaveHelper.get_save_images_ui(value, "v3/pic", cls=cls),
            "webp": lambda: ui.ImageSaveHelper.get_save_animated_webp_ui(value, "v3/moving", cls=cls),
        }
        return io.NodeOutput(ui=made[how]())


NODES = [value for value in vars().values() if isinstance(value, type) and issubclass(value, io.ComfyNode)]


class Pack(ComfyExtension):
    async def on_load(self):
        seen.append("loaded")

    async def get_node_list(self):
        return NODES


async def comfy_entrypoint():
    return Pack()
