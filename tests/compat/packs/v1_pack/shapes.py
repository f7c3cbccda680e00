"""Inputs and outputs in every spelling."""

import folder_paths
from comfy.comfy_types import IO


class AnyType(str):
    def __ne__(self, other):
        return False


class AlwaysEqual(str):
    """Cannot be hashed: __eq__ without __hash__."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


class Flexible(dict):
    """Optional inputs of any name."""

    def __init__(self, kind, declared=()):
        super().__init__(declared)
        self.kind = kind

    def __contains__(self, name):
        return True

    def __getitem__(self, name):
        return dict.__getitem__(self, name) if name in self.keys() else (self.kind,)


ANY = AnyType("*")


class V1Everything:
    DESCRIPTION = "Shows every kind of input."
    CATEGORY = "v1/shapes"
    RETURN_TYPES = ("IMAGE", "INT", "LIST_OF_THINGS")
    RETURN_NAMES = ("picture",)
    OUTPUT_IS_LIST = (False, True)
    OUTPUT_TOOLTIPS = ("what is seen",)
    FUNCTION = "run"
    DEPRECATED = True
    EXPERIMENTAL = True
    API_NODE = True
    NOT_IDEMPOTENT = True
    HAS_INTERMEDIATE_OUTPUT = True
    DEV_ONLY = True
    SEARCH_ALIASES = ["all", "every"]
    ESSENTIALS_CATEGORY = "Basics"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "image": ("IMAGE",),
                "count": ("INT", {"default": 1, "min": 0, "max": 10, "step": 1, "display": "slider"}),
                "scale": ("FLOAT", {"default": 1.0, "round": False, "max": float("inf")}),
                "text": ("STRING", {"multiline": True, "dynamicPrompts": True, "placeholder": "words"}),
                "flag": ("BOOLEAN", {"default": False, "label_on": "yes", "label_off": "no"}),
                "old": (["a", "b"], {"default": "b"}),
                "bare_old": (("x", "y"),),
                "new": ("COMBO", {"options": ["p", "q"], "default": "q"}),
                "either": ("INT,FLOAT", {"forceInput": True}),
                "own": ("MY_TYPE", {"anything": ["goes"], "tooltip": "mine"}),
                "lora": (["None"] + folder_paths.get_filename_list("loras") + ["More"],),  # noqa: RUF005 -- as authors write it
            },
            "optional": {"mask": ("MASK",), "colour": ("COLOR", {"default": "#ffffff"})},
            "hidden": {"me": "UNIQUE_ID", "graph": ("PROMPT",), "spare": ("STRING", {"default": "spare"})},
        }

    def run(self, **kwargs):
        return (kwargs["image"], [1], None)


class V1Slips:
    """Forgotten commas and columns of unequal length."""

    RETURN_TYPES = "STRING"
    RETURN_NAMES = "words"
    OUTPUT_TOOLTIPS = ("one", "two", "three")
    OUTPUT_IS_LIST = (False, True, True)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"text": "STRING"}}

    def run(self, text):
        return text.upper()


class V1ComboOut:
    RETURN_TYPES = (["one", "two"], IO.INT)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": (IO.INT, {"default": 1}), "words": (IO.STRING, {})}}

    def run(self, number, words):
        return ("one", number)


class V1AnyIn:
    RETURN_TYPES = (ANY,)
    FUNCTION = "run"
    CATEGORY = "v1"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY, {})}, "optional": {"other": (AlwaysEqual("*"),)}}

    def run(self, value, other=None):
        return (value,)


class V1Star:
    """A plain "*", which is a name like any other."""

    RETURN_TYPES = ("*",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("*",)}}

    def run(self, value):
        return (value,)


class V1Number:
    """Takes what its author's own comparison says, which is no wildcard."""

    class Number(str):
        def __ne__(self, other):
            return other not in ("INT", "FLOAT", "NUMBER")

    RETURN_TYPES = ("NUMBER",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (cls.Number("NUMBER"),)}}

    def run(self, value):
        return (value,)


class V1Flexible:
    """Takes any input, declared or not."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": Flexible(ANY, {"first": ("INT", {"default": 1})}), "hidden": {}}

    def run(self, **kwargs):
        return (repr(sorted(kwargs.items())),)


class V1Moving:
    """A combo whose choices change while the program runs."""

    CHOICES = ["before"]
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"choice": (list(cls.CHOICES),)}}

    def run(self, choice):
        return {"ui": {"text": (choice,)}}


class V1Show:
    """Shows the text of whatever comes."""

    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"
    CATEGORY = "v1"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": (ANY,)}}

    def run(self, value):
        return {"ui": {"text": [str(value)]}}


class V1Const:
    RETURN_TYPES = ("INT", "STRING", "IMAGE")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"number": ("INT", {"default": 0}), "text": ("STRING", {"default": ""})}}

    def run(self, number, text):
        return (number, text, None)


MAPPINGS = {
    each.__name__: each
    for each in (
        V1Everything,
        V1Slips,
        V1ComboOut,
        V1AnyIn,
        V1Star,
        V1Number,
        V1Flexible,
        V1Moving,
        V1Show,
        V1Const,
    )
}
