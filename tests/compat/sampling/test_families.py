"""SDXL and Stable Diffusion 2 for plugins: both text encoders, and the same picture in both ways of drawing."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from compat.crossing import enter, leave
from compat.host import Host
from engine.adapters.lora import Lora, apply
from engine.checkpoints.load import Checkpoint
from engine.checkpoints.tensors import in_memory
from nodes.sampling import Walk
from tests import families
from tests.compat.sampling.conftest import Studio, noise, relative

MINIATURES: dict[str, Callable[[], families.Miniature]] = {
    "sdxl": families.sdxl,
    "sdxl_refiner": families.refiner,
    "sd2": families.sd2,
    "unclip": lambda: families.sd2(vector=2048, kind="class"),
    "lotus": lambda: families.sd2(vector=4, kind="class"),
}
PROMPT = "a (red:1.3) cat on a mat"


@pytest.fixture(scope="module", params=MINIATURES)
def miniature(request: pytest.FixtureRequest) -> tuple[str, families.Miniature]:
    return request.param, MINIATURES[request.param]()


@pytest.fixture
def loaded(host: Host, miniature: tuple[str, families.Miniature]) -> Checkpoint:
    name, made = miniature
    found = host.loader.checkpoint(in_memory(name, made.tensors))
    assert found.clip is not None
    return found


def test_plugins_encode_texts_as_our_nodes_do(loaded: Checkpoint) -> None:
    clip: Any = enter(loaded.clip)
    assert loaded.clip is not None
    tokens = clip.tokenize(PROMPT)
    assert sorted(tokens) == sorted(each.id.removeprefix("clip_") for each in loaded.clip.encoders)
    for ours, theirs in zip(
        loaded.clip.encode(PROMPT), clip.encode_from_tokens(tokens, return_pooled=True), strict=True
    ):
        assert torch.equal(ours, theirs)
    skipping = clip.clone()
    skipping.clip_layer(-3)
    assert torch.equal(skipping.encode(PROMPT), loaded.clip.with_last_layer(-3).encode(PROMPT)[0])
    assert enter(leave(skipping)) is skipping
    assert torch.equal(leave(skipping).encode(PROMPT)[0], skipping.encode(PROMPT))


def test_a_lora_on_the_text_encoders_is_the_same_for_plugins(loaded: Checkpoint) -> None:
    assert loaded.clip is not None
    id = loaded.clip.encoders[-1].id
    start = "lora_te2" if len(loaded.clip.encoders) > 1 else "lora_te"
    entries = {f"{start}_text_model_encoder_layers_0_mlp_fc1.diff_b": torch.ones(128)}
    _, clip = apply(loaded.model, loaded.clip, Lora("x", entries), 0.0, 0.5)
    assert clip is not None
    assert set(clip.patches) == {f"{id}.encoder.layers.0.mlp.fc1.bias"}
    theirs: Any = enter(clip)
    expected = clip.encode(PROMPT)[0]
    assert not torch.allclose(expected, loaded.clip.encode(PROMPT)[0])
    assert torch.equal(theirs.encode(PROMPT), expected)
    own = theirs.clone()
    own.add_patches({f"{id}.transformer.text_model.encoder.layers.1.mlp.fc1.bias": (torch.ones(128),)}, 0.25)
    assert torch.equal(leave(own).encode(PROMPT)[0], own.encode(PROMPT))
    assert not torch.equal(own.encode(PROMPT), expected)


def test_both_ways_draw_the_same(loaded: Checkpoint, studio: Studio) -> None:
    assert loaded.clip is not None
    studio.model = loaded.model
    seen = SimpleNamespace(image_embeds=noise(1, 1024))
    shown = [{"clip_vision_output": seen, "strength": 0.7, "noise_augmentation": 0.2}]
    more = {"unclip_conditioning": shown} if loaded.model.family == "sd2_unclip" else {}
    wanted, unwanted = (
        [[tokens, {"pooled_output": pooled, "width": 500, "crop_h": 7, **more}]]
        for tokens, pooled in (loaded.clip.encode(text) for text in (PROMPT, ""))
    )
    latent = {"samples": noise(1, 4, 8, 8)}
    walk = Walk("euler", "normal", 3, seed=5)
    guidance = studio.guided(3.0, wanted, unwanted)
    ours = studio.by_engine(latent, guidance, walk)
    assert relative(ours, studio.as_comfy(latent, guidance, walk)) < 1e-5
