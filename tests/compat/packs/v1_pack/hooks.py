"""Checks, fingerprints and lazy inputs."""

import asyncio

from .shapes import ANY


class Checked:
    RETURN_TYPES = ()
    OUTPUT_NODE = True
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "size": ("INT", {"min": 10, "max": 20}),
                "name": (["listed"],),
            },
            "optional": {"image": ("IMAGE",), "extra": ("STRING", {})},
            "hidden": {"me": "UNIQUE_ID"},
        }

    def run(self, size, name, image=None, extra=None, me=None):
        return {"ui": {"text": [f"{size} {name}"]}}


class V1ByName(Checked):
    @classmethod
    def VALIDATE_INPUTS(cls, size, image, extra):
        assert image is None
        return True if size != 13 else f"{size} is unlucky"


class V1ByAll(Checked):
    SEEN = []

    @classmethod
    def VALIDATE_INPUTS(cls, **kwargs):
        cls.SEEN.append(kwargs)
        return True


class V1ByTypes(Checked):
    @classmethod
    def VALIDATE_INPUTS(cls, input_types):
        return True if input_types.get("image") in (None, "INT") else "only whole numbers for pictures"


class V1ByAllAndTypes(Checked):
    @classmethod
    def VALIDATE_INPUTS(cls, input_types, **kwargs):
        return "image" in input_types or "no picture"


class V1ByNothing(Checked):
    ANSWER = "never"

    @classmethod
    def VALIDATE_INPUTS(cls):
        return cls.ANSWER


class V1ByAsync(Checked):
    @classmethod
    async def VALIDATE_INPUTS(cls, name):
        await asyncio.sleep(0)
        return name == "listed"


class V1ByStatic(Checked):
    @staticmethod
    def VALIDATE_INPUTS(name):
        if name == "exit":
            raise SystemExit(3)
        if name == "raise":
            raise ValueError("no such thing")
        return None if name == "none" else True


class Changing:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"
    RUNS = 0
    ANSWER = 1

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT", {"default": 0}), "linked": (ANY,)}, "hidden": {"me": "UNIQUE_ID"}}

    def run(self, value, linked, me):
        type(self).RUNS += 1
        return (type(self).RUNS,)


class V1Changed(Changing):
    SEEN = []

    @classmethod
    def IS_CHANGED(cls, value, linked, me):
        cls.SEEN.append((value, linked, me))
        if isinstance(cls.ANSWER, BaseException):
            raise cls.ANSWER
        return cls.ANSWER


class V1ChangedStatic(Changing):
    @staticmethod
    def IS_CHANGED(**kwargs):
        return V1ChangedStatic.ANSWER


class V1ChangedPlain(Changing):
    def IS_CHANGED(self, **kwargs):  # no classmethod: it always raises, so the node always runs
        return "same"


class V1ChangedAsync(Changing):
    @classmethod
    async def IS_CHANGED(cls, **kwargs):
        await asyncio.sleep(0)
        return cls.ANSWER


class V1Switch:
    """Asks for the branch it needs."""

    RETURN_TYPES = (ANY,)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        lazy = {"lazy": True}
        return {"required": {"flag": ("BOOLEAN", {}), "yes": (ANY, lazy), "no": (ANY, lazy)}}

    def check_lazy_status(self, flag, yes=None, no=None):
        if flag and yes is None:
            return ["yes"]
        if not flag and no is None:
            return "no"
        return None

    def run(self, flag, yes=None, no=None):
        return (yes if flag else no,)


class V1LazyList:
    """Lists in; what is not computed is (None,)."""

    INPUT_IS_LIST = True
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    SEEN = []

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"ready": (ANY,), "later": (ANY, {"lazy": True})}}

    async def check_lazy_status(self, ready, later):
        self.SEEN.append((ready, later))
        return ["later"] if later == (None,) else []

    def run(self, ready, later):
        return (f"{ready} {later}",)


class V1Raw:
    """Wants to know where its value comes from."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"link": (ANY, {"rawLink": True})}, "hidden": {"live": "DYNPROMPT"}}

    def run(self, link, live):
        return (f"{link} {live.get_node(link[0])['class_type']}",)


MAPPINGS = {name: each for name, each in globals().items() if name.startswith("V1") and isinstance(each, type)}
