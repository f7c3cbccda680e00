"""Rubbish on every wire that carries pictures, masks or latents: an error of ours that names an input, or a result."""

from pathlib import Path
from typing import Any

import pytest
import torch

from engine import errors
from engine.graph.builder import Builder
from engine.graph.nodetype import NodeType
from engine.models.rrdb import RRDBConfig, RRDBNet
from engine.pictures.upscaling import Upscaler
from nodes import all_nodes
from nodes.ways import Guidance, Guider, Noise, Sampler
from tests.nodes.bench import Bench

NAN = float("nan")
OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def latent(samples: Any, **more: Any) -> dict[str, Any]:
    return {"samples": samples, **more}


GOOD = {"IMAGE": torch.rand(1, 16, 16, 3), "MASK": torch.rand(1, 8, 8), "LATENT": latent(torch.rand(1, 4, 4, 4))}

RUBBISH: dict[str, dict[str, Any]] = {
    "IMAGE": {
        "text": "a picture",
        "no batch": torch.rand(16, 16, 3),
        "a video": torch.rand(1, 1, 16, 16, 3),
        "none": torch.rand(0, 16, 16, 3),
        "no rows": torch.rand(1, 0, 16, 3),
        "bytes": torch.full((1, 16, 16, 3), 7, dtype=torch.uint8),
        "truths": torch.ones(1, 16, 16, 3, dtype=torch.bool),
        "complex": torch.rand(1, 16, 16, 3) + 0j,
    },
    "MASK": {
        "text": "a mask",
        "one row": torch.rand(8),
        "none": torch.rand(0, 8, 8),
        "no rows": torch.rand(1, 0, 8),
        "complex": torch.rand(1, 8, 8) + 0j,
    },
    "LATENT": {
        "nothing": None,
        "empty": {},
        "a tensor": torch.rand(1, 4, 4, 4),
        "no samples": latent(None),
        "no batch": latent(torch.rand(4, 4, 4)),
        "none": latent(torch.rand(0, 4, 4, 4)),
        "whole numbers": latent(torch.ones(1, 4, 4, 4, dtype=torch.int64)),
        "complex": latent(torch.rand(1, 4, 4, 4) + 0j),
    },
}
"""What no node can make anything of."""

STRANGE: dict[str, dict[str, Any]] = {
    "IMAGE": {
        "grey": torch.rand(1, 16, 16, 1),
        "two channels": torch.rand(1, 16, 16, 2),
        "with alpha": torch.rand(1, 16, 16, 4),
        "five channels": torch.rand(1, 16, 16, 5),
        "no numbers": torch.full((1, 16, 16, 3), NAN),
        "half precision": torch.rand(1, 16, 16, 3).half(),
        "thin": torch.rand(1, 1, 64, 3),
        "three": torch.rand(3, 16, 16, 3),
    },
    "MASK": {
        "no batch": torch.rand(8, 8),
        "with channels": torch.rand(1, 3, 8, 8),
        "truths": torch.ones(1, 8, 8, dtype=torch.bool),
        "bytes": torch.ones(1, 8, 8, dtype=torch.uint8),
        "no numbers": torch.full((1, 8, 8), NAN),
        "three": torch.rand(3, 9, 7),
    },
    "LATENT": {
        "a video": latent(torch.rand(1, 4, 1, 4, 4)),
        "five channels": latent(torch.rand(1, 5, 4, 4)),
        "no numbers": latent(torch.full((1, 4, 4, 4), NAN)),
        "double precision": latent(torch.rand(1, 4, 4, 4).double()),
        "thin": latent(torch.rand(1, 4, 2, 12)),
        "three": latent(torch.rand(3, 4, 4, 4)),
        "a text as mask": latent(torch.rand(1, 4, 4, 4), noise_mask="all"),
        "a row as mask": latent(torch.rand(1, 4, 4, 4), noise_mask=torch.rand(8)),
        "truths as mask": latent(torch.rand(1, 4, 4, 4), noise_mask=torch.ones(1, 1, 4, 4, dtype=torch.bool)),
        "no numbers as mask": latent(torch.rand(1, 4, 4, 4), noise_mask=torch.full((1, 1, 4, 4), NAN)),
        "a place missing": latent(torch.rand(2, 4, 4, 4), batch_index=[0]),
        "a text as places": latent(torch.rand(1, 4, 4, 4), batch_index="0"),
        "a number as places": latent(torch.rand(1, 4, 4, 4), batch_index=0),
    },
}
"""What some nodes take: those may not stumble over it either."""

SMALL = {"steps": 1, "width": 64, "height": 64, "largest_size": 32, "megapixels": 0.01, "tile_size": 64}
TILED = {"VAEDecodeTiled", "VAEEncodeTiled"}
"""These take a second for each picture, and what the untiled ones take."""

IDS = [each.node_definition.id for each in all_nodes()]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def tried(models: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, dict[str, Any]]:
    """A bench, and something right for the other wires of nodes, by their type."""
    bench = Bench(models, tmp_path_factory.mktemp("rubbish") / "base", catch_mutation=False)
    graph = Builder()
    loaded = graph.node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors")
    model, clip, vae = (bench.value(graph, loaded, slot) for slot in range(3))
    text = bench.value(graph, graph.node("CLIPTextEncode", text="a cat", clip=loaded.out(1)))
    control = bench.value(graph, graph.node("ControlNetLoader", control_net_name="tiny.safetensors"))
    return bench, {
        **GOOD,
        "MODEL": model,
        "CLIP": clip,
        "VAE": vae,
        "CONDITIONING": text,
        "CONTROL_NET": control,
        "SIGMAS": torch.tensor([1.0, 0.0]),
        "NOISE": Noise(1),
        "SAMPLER": Sampler("euler"),
        "GUIDER": Guider(model, Guidance(text, text, 1.0)),
        "UPSCALE_MODEL": Upscaler(RRDBNet(RRDBConfig(features=4, blocks=1, growth=2, ups=1)).eval()),
    }


def widgets(kind: NodeType) -> dict[str, Any]:
    """What the editor would put in, made small."""
    found = {each.name: each.options["default"] for each in kind.inputs if each.is_widget and "default" in each.options}
    choices = {each.name: each.current_choices() for each in kind.inputs if each.is_widget}
    found |= {name: values[0] for name, values in choices.items() if name not in found and values}
    return {name: SMALL.get(name, value) for name, value in found.items()}


def complaint(bench: Bench, kind: NodeType, name: str, inputs: dict[str, Any], is_refused: bool) -> str | None:
    """What is wrong with how a node takes these inputs."""
    graph = Builder()
    links = {each: bench.constant(graph, value) for each, value in inputs.items()}
    outcome = bench.run(graph, graph.node(kind.id, **widgets(kind), **links))
    if outcome.failure is None:
        return "was taken" if is_refused else None
    message, error = outcome.failure.message, outcome.failure.exception_type.rpartition(".")[2]
    if error not in OURS:
        return f"ended in {error}: {message}"
    wanted = [name] if is_refused else [each.name for each in kind.inputs]
    return None if any(each in message for each in wanted) else f"is not named: {message}"


@pytest.mark.parametrize("id", IDS)
def test_rubbish_on_a_wire_is_refused_in_words_that_name_the_input(
    id: str, tried: tuple[Bench, dict[str, Any]]
) -> None:
    bench, right = tried
    kind = bench.registry[id]
    sockets = {each.name: each for each in kind.inputs if not each.is_widget}
    given = {name: right[each.type] for name, each in sockets.items() if each.type in right}
    if any(each.required and name not in given for name, each in sockets.items()):
        pytest.skip("a wire of this node needs more than a tiny checkpoint; its own tests feed it")
    found = []
    for name, socket in sockets.items():
        for values, is_refused in ((RUBBISH, True), ({} if id in TILED else STRANGE, False)):
            for what, value in values.get(socket.type, {}).items():
                said = complaint(bench, kind, name, {**given, name: value}, is_refused)
                found += [] if said is None else [f"{name}, {what}: {said}"]
    assert not found, "\n".join(found)


def test_most_nodes_that_take_pictures_masks_or_latents_are_tried(tried: tuple[Bench, dict[str, Any]]) -> None:
    bench, right = tried
    kinds = [bench.registry[each] for each in IDS]
    takers = [kind for kind in kinds if any(each.type in GOOD for each in kind.inputs)]
    ready = [
        kind
        for kind in takers
        if all(each.type in right for each in kind.inputs if each.required and not each.is_widget)
    ]
    assert len(ready) > 80
    assert len(ready) > 0.85 * len(takers)
