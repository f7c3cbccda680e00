"""Group nodes of old files."""

from typing import Any

import pytest

from tests.engine.graph.drawn import LOADER, inputs, link, node, text, workflow


def group(**config: Any) -> dict[str, Any]:
    """A text and a sampler; the text feeds positive, a primitive the steps."""
    nodes = [
        {**text(0, 0, "grouped"), "index": 0},
        {
            **node(
                1,
                "KSampler",
                [1, "fixed", 20, 8, "euler", "normal", 1],
                wires={
                    "model": ("MODEL", None),
                    "positive": ("CONDITIONING", None),
                    "negative": ("CONDITIONING", None),
                    "latent_image": ("LATENT", None),
                    "steps": ("INT", None),
                },
                gives=["LATENT"],
            ),
            "index": 1,
        },
        {**node(2, "PrimitiveNode", gives=["INT"]), "index": 2},
        {**text(3, 0, "second"), "index": 3},
    ]
    links = [[0, 0, 1, 1, 9, "CONDITIONING"], [2, 0, 1, 4, 9, "INT"], [None, 1, 0, 0, 9, "CLIP"]]
    return {"nodes": nodes, "links": links, "external": [[0, 0, "CONDITIONING"]], "config": config}


@pytest.mark.parametrize("prefix", ["workflow/", "workflow>"])
def test_a_group_node_is_opened_with_its_own_values(prefix: str) -> None:
    wires = {"clip": 1, "model": 2, "CLIPTextEncode clip": 3}
    row = ["typed", 42, "randomize", 7.5, "ddim", "karras", 0.5, 30, "fixed", "more"]
    box = node(9, f"{prefix}G", row, wires=wires, gives=["CONDITIONING", "LATENT", "CONDITIONING"])
    show = node(5, "PreviewAny", wires={"source": 4})
    links = [link(1, 1, 1, 9), link(2, 1, 0, 9), link(3, 1, 1, 9), link(4, 9, 2, 5)]
    assert inputs(workflow([LOADER, box, show], links, groupNodes={"G": group()})) == {
        "1": {"ckpt_name": "a.ckpt"},
        "9:0": {"text": "typed", "clip": ["1", 1]},
        "9:1": {
            "seed": 42,
            "steps": 30,
            "cfg": 7.5,
            "sampler_name": "ddim",
            "scheduler": "karras",
            "denoise": 0.5,
            "model": ["1", 0],
            "positive": ["9:0", 0],
        },
        "9:3": {"text": "more", "clip": ["1", 1]},
        "5": {"source": ["9:3", 0]},
    }


def test_a_groups_inputs_may_have_other_names_and_its_widgets_may_be_wired() -> None:
    looks = {"0": {"input": {"clip": {"name": "brain"}}}, "3": {"input": {"clip": {"visible": False}}}}
    definition = group(**looks)
    definition["nodes"][0]["inputs"].append(
        {"name": "text", "type": "STRING", "link": None, "widget": {"name": "text"}}
    )
    box = node(9, "workflow/G", ["typed"], wires={"brain": 1, "text": ("STRING", 2)}, gives=["CONDITIONING"])
    primitive = node(4, "PrimitiveNode", ["wired"], gives=["STRING"])
    drawn = workflow([LOADER, box, primitive], [link(1, 1, 1, 9), link(2, 4, 0, 9)], groupNodes={"G": definition})
    found = inputs(drawn)
    assert found["9:0"] == {"clip": ["1", 1], "text": "wired"}
    assert "clip" not in found["9:3"]
