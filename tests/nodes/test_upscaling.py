"""Upscalers in a graph."""

import torch

from engine.graph.builder import Builder
from engine.models.rrdb import RRDBConfig, RRDBNet
from tests.nodes.bench import Bench


def test_a_file_is_loaded_and_makes_a_picture_larger(bench: Bench) -> None:
    torch.manual_seed(0)
    network = RRDBNet(RRDBConfig(features=4, blocks=1, growth=2, ups=2)).eval()
    folder = bench.folders.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"params_ema": network.state_dict()}, folder / "tiny.pth")
    graph, image = Builder(), torch.rand(2, 9, 7, 4)
    loaded = graph.node("UpscaleModelLoader", model_name="tiny.pth")
    made = graph.node("ImageUpscaleWithModel", upscale_model=loaded, image=bench.constant(graph, image))
    with torch.no_grad():
        wanted = network(image[..., :3].movedim(-1, 1)).movedim(1, -1).clamp(0, 1)
    assert torch.allclose(bench.value(graph, made), wanted, atol=1e-6)


def test_a_file_of_something_else_is_named(bench: Bench) -> None:
    folder = bench.folders.models / "upscale_models"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"weight": torch.zeros(2)}, folder / "b.pth")
    (folder / "c.pth").write_bytes(b"no weights")
    graph = Builder()
    for name, said in (("b.pth", "b.pth: no upscaler of the ESRGAN family"), ("c.pth", "c.pth: neither safetensors")):
        message = bench.message(graph, graph.node("UpscaleModelLoader", model_name=name))
        assert f"input model_name: {said}" in message
