"""Functions of every kind, and every way to answer."""

import asyncio

from comfy_execution.graph import ExecutionBlocker
from comfy_execution.utils import get_executing_context


class Number:
    """What the nodes below have in common: one whole number in, one out."""

    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    CATEGORY = "v1/callings"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0})}}


class V1Method(Number):
    """Counts its calls in the object that the engine keeps."""

    def __init__(self):
        self.calls = 0

    def run(self, value):
        self.calls += 1
        return (value + 100 * self.calls,)


class V1Static(Number):
    @staticmethod
    def run(value):
        return (value + 1,)


class V1Class(Number):
    STEP = 2

    @classmethod
    def run(cls, value):
        return (value + cls.STEP,)


class V1Async(Number):
    async def run(self, value):
        before = get_executing_context()
        await asyncio.sleep(0.01)
        assert get_executing_context() == before
        return (value + 3,)


class V1Awaitable(Number):
    """A plain function that returns something to be awaited."""

    def run(self, value):
        async def later():
            await asyncio.sleep(0)
            return (value + 4,)

        return later()


class V1Generator(Number):
    def run(self, value):
        yield (0,)
        yield (value + 5,)


class V1Nameless(Number):
    FUNCTION = ""


class V1Where(Number):
    """Says which node it is."""

    RETURN_TYPES = ("STRING",)

    def run(self, value):
        context = get_executing_context()
        return (f"{context.node_id}/{context.list_index}",)


class V1List(Number):
    """One list out; each item goes on by itself."""

    OUTPUT_IS_LIST = (True,)

    def run(self, value):
        return ([value + i for i in range(3)],)


class V1Gather(Number):
    """All items in."""

    INPUT_IS_LIST = (True,)
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {**super().INPUT_TYPES(), "hidden": {"me": "UNIQUE_ID"}}

    def run(self, value, me):
        return (f"{value} {me}",)


class V1Hidden:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    KINDS = {
        "me": "UNIQUE_ID",
        "graph": "PROMPT",
        "info": "EXTRA_PNGINFO",
        "live": "DYNPROMPT",
        "token": "AUTH_TOKEN_COMFY_ORG",
        "key": "API_KEY_COMFY_ORG",
        "source": "COMFY_USAGE_SOURCE",
        "spare": ("STRING", {"default": ""}),
    }

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "hidden": cls.KINDS}

    def run(self, me, graph, info, live, token, key, source, spare="not given"):
        assert graph[me]["class_type"] == live.get_node(me)["class_type"] == "V1Hidden"
        return (f"{me} {info.get('workflow')} {token} {key} {source} {spare}",)


class V1Answers:
    """Answers in the way it is asked for."""

    RETURN_TYPES = ("INT", "STRING")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {"default": "tuple"})}}

    def run(self, how):
        return {
            "tuple": (1, "one"),
            "list": [1, "one"],
            "dict": {"result": (1, "one")},
            "dict of list": {"ui": {"text": ("shown",)}, "result": [1, "one"]},
            "blocker": ExecutionBlocker("nobody may"),
            "silent": ExecutionBlocker(None),
            "member": (1, ExecutionBlocker("not the text")),
            "in dict": {"result": ExecutionBlocker("neither")},
            "short": (1,),
            "nothing": None,
            "empty": {},
            "single": 7,
            "bad ui": {"ui": ["x"], "result": (1, "one")},
            "bad expand": {"expand": "x"},
            "long": (1, "one", "more"),
        }[how]


class V1Only(Number):
    """One output, and answers that forget the tuple."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {"default": ""})}}

    def run(self, how):
        return {"bare": 7, "list": [7], "dict": {"samples": 7}, "none": None}[how]


class V1OddList(Number):
    """A list output that is no list."""

    OUTPUT_IS_LIST = (True,)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {"default": ""})}}

    def run(self, how):
        return ({"range": range(2), "text": "ab", "number": 5, "blocker": [1, ExecutionBlocker("second")]}[how],)


class V1Quiet:
    """An output node that has nothing to say."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"how": ("STRING", {"default": "none"})}}

    def run(self, how):
        return {"none": None, "empty": {}, "nothing": (), "ui": {"ui": {"text": "one word", "rows": (1, 2)}}}[how]


class V1Keeper(Number):
    """A mutable default, as authors write it by mistake, and an input changed in place."""

    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"box": ("BOX",)}}

    def run(self, box, seen=[]):  # noqa: B006 -- that is the mistake
        seen.append(len(box))
        box.append("touched")
        return (f"{len(seen)} {box}",)


class V1Box(Number):
    RETURN_TYPES = ("BOX",)

    def run(self, value):
        return (["new"] * value,)


MAPPINGS = {name: each for name, each in globals().items() if name.startswith("V1") and isinstance(each, type)}
