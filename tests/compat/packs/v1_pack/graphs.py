"""Nodes that put graphs in their own place."""

from comfy_execution.graph_utils import GraphBuilder, add_graph_prefix, is_link

from .shapes import ANY


class V1Add:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {"default": 0}), "b": ("INT", {"default": 0})}}

    def run(self, a, b):
        return (a + b,)


class V1Expand:
    """a + b + b, by two nodes of its own and one that shows."""

    RETURN_TYPES = ("INT", "STRING")
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {}), "b": ("INT", {})}, "hidden": {"me": "UNIQUE_ID", "live": "DYNPROMPT"}}

    def run(self, a, b, me, live):
        graph = GraphBuilder()
        first = graph.node("V1Add", a=a, b=b)
        second = graph.node("V1Add", "second", a=first.out(0), b=b)
        show = graph.node("V1Show", value=second.out(0))
        show.set_override_display_id(me)
        return {"result": (second.out(0), graph.prefix), "expand": graph.finalize()}


class V1Countdown:
    """A loop: walks back to what it must repeat, and puts itself at the end."""

    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {"left": ("INT", {}), "body": (ANY, {"rawLink": True})},
            "optional": {"said": ("STRING", {"default": ""})},
            "hidden": {"me": "UNIQUE_ID", "live": "DYNPROMPT"},
        }

    def run(self, left, body, me, live, said=""):
        if left == 0:
            return (said,)
        source = live.get_node(body[0])
        assert is_link(body)
        assert live.get_display_node_id(me) == live.get_real_node_id(me).split(".")[0]
        graph = GraphBuilder()
        copy = graph.node(source["class_type"], "Body", **source["inputs"])
        copy.set_override_display_id(body[0])
        again = graph.node("V1Countdown", "Recurse", left=left - 1, body=body, said=f"{said}{left}")
        return {"result": (again.out(0),), "expand": graph.finalize()}


class V1Prefixed:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"a": ("INT", {})}}

    def run(self, a):
        graph = {"1": {"class_type": "V1Add", "inputs": {"a": a, "b": 1}}}
        graph["2"] = {"class_type": "V1Add", "inputs": {"a": ["1", 0], "b": 10}}
        graph, outputs = add_graph_prefix(graph, [["2", 0]], GraphBuilder.alloc_prefix())
        return {"result": outputs, "expand": graph}


MAPPINGS = {name: each for name, each in globals().items() if name.startswith("V1") and isinstance(each, type)}
