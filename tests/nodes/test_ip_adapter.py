"""IP-Adapter nodes: graphs that pictures guide, presets found by file names, and the interface that workflows know."""

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.adapters import ip_adapter_files
from engine.checkpoints.load import Loader
from engine.errors import CheckpointError, ImageError, PathError, SamplingError
from engine.graph.describe import describe
from engine.models.unet import UNet
from engine.pictures import squares
from nodes import ip_adapter as nodes_of
from tests.ip_adapter_files import adapter_tensors, eyes
from tests.nodes.bench import Bench, Drawing, close
from tests.nodes.conftest import UNET

PLUS, STANDARD = "ip-adapter-plus_sd15.bin", "ip-adapter_sd15.safetensors"
EYES = "CLIP-ViT-H-14-laion2B-s32B-b79K.safetensors"


@pytest.fixture
def ready(bench: Bench) -> Bench:
    """A bench with two adapters for the tiny model, and the eyes that go with them."""
    net = UNet(UNET)
    for kind in ("ipadapter", "clip_vision"):
        (bench.folders.base / "models" / kind).mkdir(parents=True)
    torch.save(adapter_tensors("plus", net), bench.folders.base / "models" / "ipadapter" / PLUS)
    flat = {f"{a}.{b}": each for a, inside in adapter_tensors("standard", net).items() for b, each in inside.items()}
    save_file(flat, bench.folders.base / "models" / "ipadapter" / STANDARD)
    save_file(eyes(), bench.folders.base / "models" / "clip_vision" / EYES)
    save_file(eyes(24, 24), bench.folders.base / "models" / "clip_vision" / "other.safetensors")
    return bench


def guided(start: Drawing, bench: Bench, eyes_name: str = EYES, adapter: str = PLUS, **changes):
    """The start's graph with its model guided by a picture."""
    loaded = start.graph.node("IPAdapterModelLoader", ipadapter_file=adapter)
    vision = start.graph.node("CLIPVisionLoader", clip_name=eyes_name)
    given = {
        "model": start.checkpoint.out(0),
        "ipadapter": loaded.out(),
        "image": bench.constant(start.graph, picture()),
        "weight": 0.9,
        "weight_type": "linear",
        "combine_embeds": "concat",
        "start_at": 0.0,
        "end_at": 1.0,
        "embeds_scaling": "V only",
        "clip_vision": vision.out(),
    }
    return start.graph.node("IPAdapterAdvanced", **{**given, **changes})


def picture(seed: int = 0, count: int = 1, size: tuple[int, int] = (37, 51)):
    return torch.rand(count, *size, 3, generator=torch.Generator().manual_seed(seed))


def sampled(bench: Bench, model=None, **changes):
    start = Drawing()
    made = {} if model is None else {"model": model(start).out()}
    return bench.value(start.graph, start.sampled(**made, steps=1, **changes))["samples"]


def test_a_picture_guides_a_whole_run_and_no_weight_changes_nothing(ready):
    plain = sampled(ready)
    with_it = sampled(ready, lambda start: guided(start, ready))
    assert torch.isfinite(with_it).all()
    assert not close(with_it, plain, 1e-3)
    assert torch.equal(sampled(ready, lambda start: guided(start, ready, weight=0.0)), plain)
    assert torch.equal(sampled(ready, lambda start: guided(start, ready)), with_it)
    never = sampled(ready, lambda start: guided(start, ready, start_at=1.0, end_at=1.0))
    assert torch.equal(never, plain)


def test_encoding_and_applying_in_two_steps_is_the_same(ready):
    def in_two_steps(start):
        loaded = start.graph.node("IPAdapterModelLoader", ipadapter_file=PLUS).out()
        vision = start.graph.node("CLIPVisionLoader", clip_name=EYES).out()
        image = ready.constant(start.graph, picture())
        seen = start.graph.node("IPAdapterEncoder", ipadapter=loaded, image=image, weight=1.0, clip_vision=vision)
        one = start.graph.node("IPAdapterCombineEmbeds", embed1=seen.out(0), method="average", embed2=seen.out(0))
        return start.graph.node(
            "IPAdapterEmbeds",
            model=start.checkpoint.out(0),
            ipadapter=loaded,
            pos_embed=one.out(),
            weight=0.9,
            weight_type="linear",
            start_at=0.0,
            end_at=1.0,
            embeds_scaling="V only",
            neg_embed=seen.out(1),
        )

    assert close(sampled(ready, in_two_steps), sampled(ready, lambda start: guided(start, ready)), 1e-5)


def test_the_unified_loader_finds_files_by_their_published_names(ready):
    def unified(start):
        loaded = start.graph.node(
            "IPAdapterUnifiedLoader", model=start.checkpoint.out(0), preset="PLUS (high strength)"
        )
        return start.graph.node(
            "IPAdapter",
            model=loaded.out(0),
            ipadapter=loaded.out(1),
            image=ready.constant(start.graph, picture()),
            weight=0.9,
            start_at=0.0,
            end_at=1.0,
            weight_type="standard",
        )

    assert torch.equal(sampled(ready, unified), sampled(ready, lambda start: guided(start, ready)))


def test_several_adapters_pictures_and_a_mask_work_together(ready):
    def both(start):
        first = guided(start, ready, image=ready.constant(start.graph, picture(1, 3)), combine_embeds="average")
        return guided(start, ready, adapter=STANDARD, model=first.out(), weight=0.4)

    def masked(value):
        mask = torch.full((1, 40, 24), value)
        return lambda start: guided(start, ready, attn_mask=ready.constant(start.graph, mask))

    one = sampled(ready, lambda start: guided(start, ready))
    assert torch.isfinite(sampled(ready, both)).all()
    assert not close(sampled(ready, both), one, 1e-3)
    assert close(sampled(ready, masked(1.0)), one, 1e-5)
    assert close(sampled(ready, masked(0.0)), sampled(ready), 1e-5)


def test_a_negative_picture_takes_the_place_of_none(ready):
    def negative(start):
        return guided(start, ready, image_negative=ready.constant(start.graph, picture(5)))

    assert not close(sampled(ready, negative), sampled(ready, lambda start: guided(start, ready)), 1e-4)


def message(bench: Bench, **changes) -> str:
    start = Drawing()
    return bench.message(start.graph, guided(start, bench, **changes))


def test_other_eyes_than_its_own_are_refused_with_both_widths(ready):
    text = message(ready, eyes_name="other.safetensors")
    assert PLUS in text
    assert "reads pictures as 20 features" in text
    assert "this CLIP vision model makes 24" in text
    assert "reads pictures as 20 features" in message(ready, eyes_name="other.safetensors", adapter=STANDARD)


def test_without_eyes_it_says_where_they_come_from(ready):
    assert "CLIPVisionLoader" in message(ready, clip_vision=None)


def test_a_picture_that_is_no_picture_is_refused(ready):
    loader = Loader()
    adapter = nodes_of.ip_adapter_model_loader(ipadapter_file=PLUS, folders=ready.folders, loader=loader)
    vision = loader.clip_vision(ready.folders.path("clip_vision", EYES))
    with pytest.raises(ImageError, match="no numbers"):
        nodes_of.ip_adapter_encoder(ipadapter=adapter, image=picture() * float("inf"), clip_vision=vision)
    with pytest.raises(CheckpointError, match=r"IPAdapterUnifiedLoader"):
        nodes_of.ip_adapter_encoder(ipadapter=adapter, image=picture())
    with pytest.raises(SamplingError, match="of different adapters"):
        nodes_of.ip_adapter_combine_embeds(embed1=torch.zeros(1, 20), method="add", embed2=torch.zeros(1, 9, 20))


def test_what_a_mask_hides_is_not_looked_at(ready):
    loader = Loader()
    adapter = nodes_of.ip_adapter_model_loader(ipadapter_file=STANDARD, folders=ready.folders, loader=loader)
    vision = loader.clip_vision(ready.folders.path("clip_vision", EYES))
    mask = torch.zeros(1, 37, 51)
    mask[..., :20] = 1.0
    image = picture()
    changed = image.clone()
    changed[:, :, 21:] = 0.3

    def seen(each):
        return nodes_of.ip_adapter_encoder(ipadapter=adapter, image=each, mask=mask, clip_vision=vision).pos_embed

    torch.testing.assert_close(seen(image), seen(changed))
    whole = nodes_of.ip_adapter_encoder(ipadapter=adapter, image=image, clip_vision=vision).pos_embed
    assert not torch.allclose(seen(image), whole)


def test_presets_are_found_by_name_in_any_case_and_folder():
    names = ["sdxl/IP-Adapter_SDXL.safetensors", "ip-adapter_sdxl_vit-h.bin", "ip-adapter_sd15.safetensors"]
    find = ip_adapter_files.adapter
    assert find(names, "STANDARD (medium strength)", "sdxl") == "ip-adapter_sdxl_vit-h.bin"
    assert find(names, "VIT-G (medium strength)", "sdxl") == "sdxl/IP-Adapter_SDXL.safetensors"
    assert find(names, "STANDARD (medium strength)", "sd1") == "ip-adapter_sd15.safetensors"
    with pytest.raises(PathError, match=r"no ip-adapter-plus_sd15\.safetensors"):
        find(names, "PLUS (high strength)", "sd1")
    with pytest.raises(SamplingError, match=r"for this model \(sdxl\), only for sd1"):
        find(names, "LIGHT - SD1.5 only (low strength)", "sdxl")
    with pytest.raises(SamplingError, match=r"for this model \(sd2\)"):
        find(names, "STANDARD (medium strength)", "sd2")
    see = ip_adapter_files.eyes
    assert see(["x.bin", "clip_vit_h_14.bin", EYES], "PLUS (high strength)") == EYES
    assert see(["x.bin", "clip-vit-h-14.bin"], "PLUS (high strength)") == "clip-vit-h-14.bin"
    with pytest.raises(PathError, match="CLIP-ViT-bigG-14-laion2B-39B-b160k"):
        see([EYES], "VIT-G (medium strength)")


@pytest.mark.parametrize("position", squares.POSITIONS)
def test_a_square_is_cut_where_asked_and_resized_as_by_pillow(position):
    image = picture(size=(40, 64))
    boxes = {"left": (0, 0, 40, 40), "right": (24, 0, 64, 40)}
    image = (image * 255).round() / 255  # so that eight bits hold it exactly
    eight = Image.fromarray((image[0] * 255).round().to(torch.uint8).numpy())
    if position == "pad":
        square = Image.new("RGB", (64, 64))
        square.paste(eight, (0, 12))
    else:
        square = eight.crop(boxes.get(position, (12, 0, 52, 40)))
    expected = torch.frombuffer(
        bytearray(square.resize((224, 224), Image.Resampling.BICUBIC).tobytes()), dtype=torch.uint8
    )
    found = nodes_of.prep_image_for_clip_vision(image=image, interpolation="BICUBIC", crop_position=position)
    assert found.shape == (1, 224, 224, 3)
    assert (found * 255 - expected.view(1, 224, 224, 3)).abs().max() <= 1.01  # how eight bits are rounded


def test_sharpening_leaves_flat_parts_alone_and_makes_edges_steeper():
    flat = torch.full((1, 8, 8, 3), 0.4)
    torch.testing.assert_close(squares.adaptively_sharpened(flat, 1.0), flat)
    edge = torch.full((1, 8, 8, 1), 0.3)
    edge[:, :, 4:] = 0.6
    found = squares.adaptively_sharpened(edge, 1.0)[0, 4, :, 0]
    assert found[3] < 0.3
    assert found[4] > 0.6
    # By hand: neighbours 0.3 ×3 and 0.6; the lowest are 0.3 + 0.3, the highest 0.6 + 0.6; a fifth at full strength.
    weight = -((0.6 / 1.2) ** 0.5) / 5
    assert float(found[3]) == pytest.approx((0.3 + weight * 1.5) / (1 + 4 * weight), abs=1e-5)


KNOWN = {
    "IPAdapter": "model ipadapter image weight start_at end_at weight_type | attn_mask",
    "IPAdapterAdvanced": "model ipadapter image weight weight_type combine_embeds start_at end_at embeds_scaling | "
    "image_negative attn_mask clip_vision",
    "IPAdapterUnifiedLoader": "model preset | ipadapter",
    "IPAdapterModelLoader": "ipadapter_file |",
    "IPAdapterEncoder": "ipadapter image weight | mask clip_vision",
    "IPAdapterEmbeds": "model ipadapter pos_embed weight weight_type start_at end_at embeds_scaling | "
    "neg_embed attn_mask clip_vision",
    "IPAdapterCombineEmbeds": "embed1 method | embed2 embed3 embed4 embed5",
    "PrepImageForClipVision": "image interpolation crop_position sharpening |",
}
"""Inputs in the order in which workflows save their values, required | optional."""


@pytest.mark.parametrize("name", KNOWN)
def test_inputs_are_those_that_workflows_know(bench, name):
    order = describe(bench.registry[name])["input_order"]
    required, optional = (each.split() for each in KNOWN[name].split("|"))
    assert (order["required"], order.get("optional", [])) == (required, optional)


def test_all_of_them_make_room_for_a_plugins(bench):
    assert all(bench.registry[name].yields for name in KNOWN)
    assert not bench.registry["CLIPVisionLoader"].yields


def test_an_adapter_of_a_plugins_loader_is_refused_in_words(bench):
    start = Drawing()
    node = start.graph.node(
        "IPAdapterEncoder",
        ipadapter=bench.constant(start.graph, {"ip_adapter": {}, "image_proj": {}}),
        image=bench.constant(start.graph, picture()),
        weight=1.0,
    )
    assert "expected the adapter of an IPAdapterModelLoader" in bench.message(start.graph, node)
