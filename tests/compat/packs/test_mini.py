"""Miniatures of popular kinds of packs, loaded as packs are and run in real graphs on tiny models."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compat.host import Host
from compat.plugins.plugins import Plugins
from engine.graph.prompt import Prompt
from tests.compat.conftest import Post

PACK = Path(__file__).resolve().parent / "mini"

MODELS: dict[str, Any] = {
    "model": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "tiny.safetensors"}},
    "yes": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": "a heart"}},
    "no": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["model", 1], "text": "a star"}},
    "empty": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
    "picture": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0x4080F0}},
}
DRAWING: dict[str, Any] = {
    "model": ["model", 0],
    "positive": ["yes", 0],
    "negative": ["no", 0],
    "latent_image": ["empty", 0],
    "seed": 3,
    "steps": 3,
    "cfg": 3.0,
    "sampler_name": "euler",
    "scheduler": "normal",
    "denoise": 1.0,
}


class Stage:
    """Runs graphs with the pack's nodes beside the models."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def outputs(self, id: str, **nodes: Any) -> list[list[Any]]:
        """What one node gives: a list for each output."""
        prompt = {**MODELS, **nodes}
        outcome = self.host.engine.executor.execute(Prompt.from_json(prompt), targets=[id])
        return list(outcome.check().values[id])

    def drawn(self, **inputs: Any) -> Tensor:
        """A latent of the built-in KSampler's. nodes: further nodes of the graph."""
        nodes = inputs.pop("nodes", {})
        samples = self.outputs("end", end=call("KSampler", **{**DRAWING, **inputs}), **nodes)[0][0]["samples"]
        assert isinstance(samples, Tensor)
        assert torch.isfinite(samples).all()
        return samples


def call(id: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": id, "inputs": inputs}


@pytest.fixture
def stage(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    import latent_preview

    monkeypatch.setattr(latent_preview, "get_previewer", latent_preview.get_previewer)  # put back afterwards
    target = host.folders.base / "custom_nodes" / "mini_pack"
    shutil.copytree(PACK, target, ignore=shutil.ignore_patterns("__pycache__"))
    plugins = Plugins(host, name="mini")
    plugins.load()
    (record,) = plugins.records
    assert record["state"] == "loaded", record
    yield Stage(host)
    plugins.close()


def test_a_picture_adapter_replaces_cross_attention(stage: Stage) -> None:
    plain = stage.drawn()
    adapt = {"model": ["model", 0], "image": ["picture", 0], "start_at": 0.0, "end_at": 1.0}
    none = stage.drawn(model=["a", 0], nodes={"a": call("MiniApplyPicture", weight=0.0, **adapt)})
    torch.testing.assert_close(none, plain, atol=1e-3, rtol=1e-3)
    full = stage.drawn(model=["a", 0], nodes={"a": call("MiniApplyPicture", weight=1.0, **adapt)})
    half = stage.drawn(model=["a", 0], nodes={"a": call("MiniApplyPicture", weight=1.0, **{**adapt, "end_at": 0.4})})
    assert not torch.allclose(full, plain, atol=1e-2)
    assert not torch.allclose(half, plain, atol=1e-2)
    assert not torch.allclose(half, full, atol=1e-2)
    both = {"a": call("MiniApplyPicture", weight=1.0, **adapt), "l": lora(["a", 0])}
    assert not torch.allclose(stage.drawn(model=["l", 0], nodes=both), full, atol=1e-3)


def lora(model: list[Any]) -> dict[str, Any]:
    return call("LoraLoaderModelOnly", model=model, lora_name="tiny.safetensors", strength_model=1.0)


def test_a_ksampler_with_more_to_it_draws_decodes_and_shows(stage: Stage) -> None:
    _, latents, images = stage.outputs("k", k=call("MiniKSamplerAndDecode", vae=["model", 2], tiles=2, **DRAWING))
    torch.testing.assert_close(latents[0]["samples"], stage.drawn())
    expected = stage.outputs(
        "d", k=call("KSampler", **DRAWING), d=call("VAEDecode", samples=["k", 0], vae=["model", 2])
    )
    torch.testing.assert_close(images[0], expected[0][0])
    assert any(Path(stage.host.folders.temp).rglob("*.png"))


def test_a_sampler_and_a_guider_of_their_own_draw(stage: Stage) -> None:
    inputs = {"model": ["model", 0], "positive": ["yes", 0], "negative": ["no", 0], "latent_image": ["empty", 0]}
    own = call("MiniSampleCustom", middle=["yes", 0], sampler=["s", 0], scheduler="mini", **inputs)
    found = stage.outputs("c", c=own, s=call("MiniSamplerHalves", share=1.0))[0][0]["samples"]
    # With the middle list like the first, and all of a step in its first half, this is Euler with our own guidance.
    torch.testing.assert_close(found, stage.drawn(seed=7, cfg=2.5), atol=2e-3, rtol=2e-3)
    halves = stage.outputs("c", c=own, s=call("MiniSamplerHalves", share=0.5))[0][0]["samples"]
    assert not torch.allclose(halves, found, atol=1e-2)


def test_a_detailer_draws_a_part_again(stage: Stage) -> None:
    detail = call(
        "MiniDetailer",
        image=["picture", 0],
        model=["model", 0],
        vae=["model", 2],
        denoise=0.6,
        positive=["yes", 0],
        negative=["no", 0],
        sampler_name="dpmpp_2m",
        scheduler="karras",
    )
    image = stage.outputs("d", d=detail)[0][0]
    before = stage.outputs("picture")[0][0]
    inside = image[:, 8:40, 16:48]
    assert not torch.allclose(inside, before[:, 8:40, 16:48], atol=1e-2)
    outside = image.clone()
    outside[:, 8:40, 16:48] = before[:, 8:40, 16:48]
    torch.testing.assert_close(outside, before)


def test_packed_weights_are_unpacked_by_layers_of_their_own(stage: Stage) -> None:
    plain = stage.drawn()
    packed = stage.drawn(model=["p", 0], nodes={"p": call("MiniLoadPacked", name="tiny.safetensors")})
    loaded = stage.outputs("p", p=call("MiniLoadPacked", name="tiny.safetensors"))[0][0]
    assert packed.shape == plain.shape
    difference = (packed - plain).abs().mean() / plain.abs().mean()
    assert 0 < difference < 0.5, "eight bits are near sixteen, but not the same"
    assert loaded is not None


def test_rewritten_weights_of_words_count(stage: Stage) -> None:
    plain = stage.outputs("yes")[0][0][0]
    same = stage.outputs("e", e=call("MiniEncodeScaled", clip=["model", 1], text="a heart", scale=1.0))[0][0][0]
    torch.testing.assert_close(same[0], plain[0])
    assert same[1]["mini"] == "a heart"
    scaled = stage.outputs("e", e=call("MiniEncodeScaled", clip=["model", 1], text="a (heart:1.1)", scale=2.0))[0][0][0]
    written = stage.outputs("w", w=call("CLIPTextEncode", clip=["model", 1], text="(a :2.0)(heart:2.2)"))[0][0][0]
    torch.testing.assert_close(scaled[0], written[0], atol=1e-4, rtol=1e-4)


def test_a_lora_comes_in_half_way(stage: Stage) -> None:
    def by_hooks(start: float) -> Tensor:
        hooked = call(
            "MiniScheduleLora",
            clip=["model", 1],
            text="a heart",
            lora_name="tiny.safetensors",
            strength=1.0,
            start=start,
        )
        return stage.drawn(positive=["h", 0], nodes={"h": hooked}, cfg=1.0)

    without = stage.drawn(cfg=1.0)
    whole = stage.drawn(cfg=1.0, model=["l", 0], nodes={"l": lora(["model", 0])})
    torch.testing.assert_close(by_hooks(1.0), without, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(by_hooks(0.0), whole, atol=2e-2, rtol=2e-2)
    middle = by_hooks(0.5)
    assert not torch.allclose(middle, without, atol=1e-2)
    assert not torch.allclose(middle, whole, atol=1e-2)


def test_a_control_of_their_own_is_chained_with_ours(stage: Stage) -> None:
    def applied(control: str, positive: str, strength: float = 1.0, end: float = 1.0) -> dict[str, Any]:
        return call(
            "ControlNetApplyAdvanced",
            positive=[positive, 0],
            negative=["no", 0],
            control_net=[control, 0],
            image=["picture", 0],
            strength=strength,
            start_percent=0.0,
            end_percent=end,
        )

    own, ours = call("MiniLoadBrightness", weight=4.0), call("ControlNetLoader", control_net_name="tiny.safetensors")
    nodes = {"own": own, "ours": ours}
    plain = stage.drawn()
    alone = stage.drawn(positive=["a", 0], nodes={**nodes, "a": applied("own", "yes")})
    assert not torch.allclose(alone, plain, atol=1e-3)
    short = stage.drawn(positive=["a", 0], nodes={**nodes, "a": applied("own", "yes", end=0.3)})
    assert not torch.allclose(short, alone, atol=1e-3)
    chain = {**nodes, "a": applied("own", "yes"), "b": applied("ours", "a")}
    chained = stage.drawn(positive=["b", 0], nodes=chain)
    only_ours = stage.drawn(positive=["b", 0], nodes={**nodes, "b": applied("ours", "yes")})
    assert not torch.allclose(chained, only_ours, atol=1e-3)
    assert not torch.allclose(chained, alone, atol=1e-3)


def test_frames_are_written_and_previews_go_through_their_wrapper(stage: Stage, post: Post) -> None:
    from comfy.cli_args import LatentPreviewMethod, args

    before, args.preview_method = args.preview_method, LatentPreviewMethod.Latent2RGB
    try:
        stage.drawn()
    finally:
        args.preview_method = before
    told = [data for event, data, _ in post.sent if event == "MINI_latentpreview"]
    assert [each["length"] for each in told] == [1]
    frames = call("MiniCombineFrames", images=["picture", 0], frame_rate=8, filename_prefix="Mini", format="webm")
    (names,) = stage.outputs("v", v=frames)
    assert Path(names[0][1][0]).stat().st_size == 64 * 64 * 3
    import server

    routes = [each.path for each in server.PromptServer.instance.routes]  # type: ignore[attr-defined]  # furnished
    assert "/mini/view" in routes
