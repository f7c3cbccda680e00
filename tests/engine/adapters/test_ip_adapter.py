"""IP-Adapters against diffusers: the projections, and a whole UNet that pictures guide."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.adapters import ip_adapter
from engine.adapters.ip_adapter import Adapter, Use
from engine.adapters.layer_weights import WEIGHT_TYPES, spread
from engine.checkpoints import image_prompts
from engine.devices.device import CPU, Place
from engine.devices.residency import Keeper, Part
from engine.errors import CheckpointError, SamplingError
from engine.models.latent_format import SD1
from engine.models.unet import UNet
from engine.sampling.hooks import joined_patches
from engine.sampling.prediction import Prediction
from engine.sampling.table import SigmaTable
from engine.values import Model
from tests.engine.models.nets import UNETS, apart, randomised, twin_unet
from tests.ip_adapter_files import CLIP_WIDTH, adapter_tensors, rand

PLACE = Place(CPU, torch.float32)


def read(tmp_path, tensors) -> Adapter:
    torch.save(tensors, tmp_path / "ip-adapter.bin")
    return Adapter(image_prompts.ip_adapter(tmp_path / "ip-adapter.bin", PLACE), Keeper())


def model_of(net: UNet, family: str = "sd1") -> Model:
    part = Part("a denoiser", net, {name: each.data for name, each in net.named_parameters()}, PLACE)
    return Model(part, Keeper(), Prediction("eps", SigmaTable.from_betas()), SD1, family)


@pytest.fixture(scope="module")
def net() -> UNet:
    return randomised(UNet(UNETS["sd1"]))


def given(net: UNet, size: tuple[int, int] = (16, 8), rows: int = 2):
    config = net.config
    y = None if config.class_width is None else rand(rows, config.class_width)
    return rand(rows, 4, *size), torch.tensor([600.0] * rows), rand(rows, 7, config.context_width), y


def drawn_with(model: Model, x, t, context, y, signs=(0, 1), sigma=5.0) -> Tensor:
    told = {"sigmas": torch.full((len(x),), sigma), "cond_or_uncond": list(signs)}
    with model.ready() as network, torch.no_grad():
        return network(x, t, context, y, patches={**model.hooks.patches, **told})


def theirs(net: UNet, tensors, scales, seen, x, t, context, y, masks=None) -> Tensor:
    """diffusers' answer for adapters with these weights. Shapes: seen [B, images, …] for each."""
    twin = twin_unet(net, net.config)
    twin._load_ip_adapter_weights(tensors, low_cpu_mem_usage=False)
    for processor in twin.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = list(scales)
    more = {} if masks is None else {"cross_attention_kwargs": {"ip_adapter_masks": masks}}
    with torch.no_grad():
        return twin(
            x, t, encoder_hidden_states=context, class_labels=y, added_cond_kwargs={"image_embeds": seen}, **more
        ).sample


def seen_by(kind: str, images: int = 1, seed: int = 0) -> Tensor:
    return rand(images, CLIP_WIDTH, seed=seed) if kind == "standard" else rand(images, 9, CLIP_WIDTH, seed=seed)


@pytest.mark.parametrize(
    ("family", "kind"),
    [("sd1", "standard"), ("sd1", "plus"), ("sd1", "full"), ("sdxl", "standard"), ("sdxl", "plus")],
)
def test_a_unet_with_an_adapter_answers_as_diffusers(tmp_path, family, kind):
    net = randomised(UNet(UNETS[family]))
    tensors = adapter_tensors(kind, net)
    positive, negative = seen_by(kind, seed=1), seen_by(kind, seed=2)
    model = ip_adapter.apply(model_of(net), read(tmp_path, tensors), positive, negative, Use(0.7))
    x, t, context, y = given(net)
    expected = theirs(net, [tensors], [0.7], [torch.stack([positive, negative])], x, t, context, y)
    assert apart(drawn_with(model, x, t, context, y), expected) < 1e-4
    assert apart(drawn_with(model_of(net), x, t, context, y), expected) > 1e-2


def test_two_adapters_of_two_kinds_with_several_pictures_add_up(tmp_path, net):
    first, second = adapter_tensors("standard", net), adapter_tensors("plus", net, 9)
    pictures, blanks = seen_by("standard", 3, seed=1), seen_by("standard", 3, seed=2)
    others, other_blank = seen_by("plus", seed=3), seen_by("plus", seed=4)
    model = ip_adapter.apply(model_of(net), read(tmp_path, first), pictures, blanks, Use(0.6))
    model = ip_adapter.apply(model, read(tmp_path, second), others, other_blank, Use(-0.3))
    x, t, context, y = given(net)
    seen = [torch.stack([pictures, blanks]), torch.stack([others, other_blank])]
    expected = theirs(net, [first, second], [0.6, -0.3], seen, x, t, context, y)
    assert apart(drawn_with(model, x, t, context, y), expected) < 1e-4


def test_one_blank_stands_for_as_many_as_there_are_pictures(tmp_path, net):
    tensors = adapter_tensors("standard", net)
    pictures, blank = seen_by("standard", 3, seed=1), seen_by("standard", seed=2)
    model = ip_adapter.apply(model_of(net), read(tmp_path, tensors), pictures, blank, Use())
    x, t, context, y = given(net)
    expected = theirs(net, [tensors], [1.0], [torch.stack([pictures, blank.expand(3, -1)])], x, t, context, y)
    assert apart(drawn_with(model, x, t, context, y), expected) < 1e-4


def test_a_mask_says_where_it_guides_as_in_diffusers(tmp_path, net):
    tensors = adapter_tensors("standard", net)
    positive, negative = seen_by("standard", seed=1), seen_by("standard", seed=2)
    # Eight pixels for each cell; its edges lie on cells at every size, so that how it is made smaller cannot matter.
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., :64] = 1.0
    model = ip_adapter.apply(model_of(net), read(tmp_path, tensors), positive, negative, Use(0.7, mask=mask))
    x, t, context, y = given(net, (16, 16))
    seen = [torch.stack([positive, negative])]
    expected = theirs(net, [tensors], [0.7], seen, x, t, context, y, masks=[mask])
    assert apart(drawn_with(model, x, t, context, y), expected) < 1e-4
    everywhere = replace(Use(0.7), mask=torch.ones(1, 1, 5, 3))
    full = ip_adapter.apply(model_of(net), read(tmp_path, tensors), positive, negative, everywhere)
    plain = ip_adapter.apply(model_of(net), read(tmp_path, tensors), positive, negative, Use(0.7))
    assert apart(drawn_with(full, x, t, context, y), drawn_with(plain, x, t, context, y)) < 1e-6


def test_signs_of_rows_and_of_groups_of_rows_mean_the_same(tmp_path, net):
    adapter = read(tmp_path, adapter_tensors("standard", net))
    model = ip_adapter.apply(model_of(net), adapter, seen_by("standard", seed=1), torch.zeros(1, CLIP_WIDTH), Use())
    x, t, context, y = given(net, rows=4)
    by_row = drawn_with(model, x, t, context, y, signs=(1, 1, 0, 0))
    assert torch.equal(by_row, drawn_with(model, x, t, context, y, signs=(1, 0)))
    assert not torch.allclose(by_row, drawn_with(model, x, t, context, y, signs=(0, 1)))


def test_it_guides_only_between_its_start_and_its_end(tmp_path, net):
    adapter = read(tmp_path, adapter_tensors("standard", net))
    plain = model_of(net)
    use = Use(start=0.25, end=0.75)
    model = ip_adapter.apply(plain, adapter, seen_by("standard"), seen_by("standard", seed=1), use)
    always = ip_adapter.apply(plain, adapter, seen_by("standard"), seen_by("standard", seed=1), Use())
    table, inputs = plain.prediction.table, given(net, (8, 8))
    for percent, other in ((0.1, plain), (0.5, always), (0.9, plain)):
        sigma = table.at_percent(percent)
        assert torch.equal(drawn_with(model, *inputs, sigma=sigma), drawn_with(other, *inputs, sigma=sigma))


def test_it_composes_with_another_replacement_of_attention(tmp_path, net):
    adapter = read(tmp_path, adapter_tensors("standard", net))
    plain = model_of(net)
    pictures = seen_by("standard"), seen_by("standard", seed=1)
    doubled = {"patches": {"attn2_output_patch": [lambda n, extra: 2 * n]}}
    one = ip_adapter.apply(plain, adapter, *pictures, Use())
    with_both = replace(one, hooks=replace(one.hooks, patches=joined_patches(one.hooks.patches, doubled)))
    inputs = given(net, (8, 8))
    assert not torch.allclose(drawn_with(with_both, *inputs), drawn_with(one, *inputs))
    nothing = {key: lambda q, k, v, extra: torch.zeros_like(q) for key in places(net)}
    replaced = {"patches_replace": {"attn2": nothing}}
    alone = replace(one, hooks=replace(one.hooks, patches=joined_patches(one.hooks.patches, replaced)))
    assert not torch.allclose(drawn_with(alone, *inputs), drawn_with(one, *inputs))
    bare = replace(plain, hooks=replace(plain.hooks, patches=replaced))
    assert not torch.allclose(drawn_with(alone, *inputs), drawn_with(bare, *inputs))


def places(net: UNet) -> set[tuple[str, int]]:
    return {(place.block, place.index) for place in ip_adapter.cross_attentions(net)}


@pytest.mark.parametrize("scaling", ip_adapter.SCALINGS[1:])
def test_a_scaling_at_weight_one_is_plain_addition_but_for_its_penalty(tmp_path, scaling):
    """The penalty is relative to 1280 channels, so an attention that wide is changed by none of them at weight 1."""
    patch = ip_adapter._Patch({}, [], ((), ()), scaling, None, None)
    q, k, v = rand(1, 6, 1280), rand(1, 4, 1280, seed=1), rand(1, 4, 1280, seed=2)
    plain = ip_adapter._Patch({}, [], ((), ()), ip_adapter.V, None, None)
    torch.testing.assert_close(patch._found(q, k, v, 1.0, 8), plain._found(q, k, v, 1.0, 8))
    half = patch._found(q, k, v, 0.5, 8)
    expected = plain._found(q, k * 0.5, v * 0.5 if "mean" not in scaling else v - 0.5 * v.mean(1, keepdim=True), 1.0, 8)
    torch.testing.assert_close(half, expected)
    narrow = [each[..., :640] for each in (q, k, v)]
    factor = 1.0 if scaling == ip_adapter.KV else 0.5
    same = plain._found(narrow[0], narrow[1] * factor, narrow[2] * factor, 1.0, 8)
    if "mean" not in scaling:
        torch.testing.assert_close(patch._found(*narrow, 1.0, 8), same)


SD1_BLOCKS = [*[("input", each) for each in (1, 2, 4, 5, 7, 8)], ("middle", 0), *[("output", i) for i in range(3, 12)]]
SDXL_BLOCKS = [*[("input", each) for each in (4, 5, 7, 8)], ("middle", 0), *[("output", i) for i in range(6)]]


def test_real_unets_have_as_many_attentions_as_the_published_adapters():
    from engine.models.unet_config import UNetConfig
    from tests.engine.models.nets import layout

    for name, count, blocks in (("sd15", 16, SD1_BLOCKS), ("sdxl_base", 70, SDXL_BLOCKS)):
        with torch.device("meta"):
            real = UNet(UNetConfig.from_shapes(layout(name, "model.diffusion_model.")))
        found = ip_adapter.cross_attentions(real)
        assert len(found) == count
        assert ip_adapter.transformers(found) == blocks


def test_style_and_composition_are_the_blocks_of_instantstyle():
    def active(kind, blocks):
        return [each for each, weight in zip(blocks, spread(2.0, kind, blocks), strict=True) if weight == 2.0]

    assert active("style transfer", SDXL_BLOCKS) == [("output", 1)]
    assert active("composition", SDXL_BLOCKS) == [("input", 8)]
    assert active("style and composition", SDXL_BLOCKS) == [("input", 8), ("output", 1)]
    assert ("input", 8) not in active("strong style transfer", SDXL_BLOCKS)
    assert len(active("strong style transfer", SDXL_BLOCKS)) == 10
    assert active("style transfer", SD1_BLOCKS) == [("output", 3), ("output", 4), ("output", 5)]
    assert active("composition", SD1_BLOCKS) == [("input", 7), ("input", 8), ("middle", 0)]


def test_easing_goes_the_way_its_name_says(caplog):
    rising, falling = spread(1.0, "ease out", SD1_BLOCKS), spread(1.0, "ease in", SD1_BLOCKS)
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    tent, hole = spread(1.0, "ease in-out", SD1_BLOCKS), spread(1.0, "reverse in-out", SD1_BLOCKS)
    assert tent[0] < tent[8] > tent[-1]
    assert hole[0] > hole[8] < hole[-1]
    weak = dict(zip(SD1_BLOCKS, spread(1.0, "weak input", SD1_BLOCKS), strict=True))
    assert (weak["input", 1], weak["middle", 0], weak["output", 3]) == (0.2, 1.0, 1.0)
    assert all(len(spread(1.0, kind, SDXL_BLOCKS)) == 11 for kind in WEIGHT_TYPES)
    assert "'style transfer precise' is used as 'style transfer'" in caplog.text
    with pytest.raises(SamplingError, match="unknown weight_type 'sideways'"):
        spread(1.0, "sideways", SDXL_BLOCKS)


def test_easing_and_weak_blocks_are_as_their_documentation_has_them():
    """deepwiki.com/cubiq/ComfyUI_IPAdapter_plus, "Weight Scheduling", where t is the number of a block among n."""
    for blocks in (SD1_BLOCKS, SDXL_BLOCKS):
        n = len(blocks)
        formulas = {
            "ease in": lambda t, n=n: 0.05 + 0.95 * (1 - t / n),
            "ease out": lambda t, n=n: 0.05 + 0.95 * (t / n),
            "ease in-out": lambda t, n=n: 0.05 + 0.95 * (1 - abs(t - n / 2) / (n / 2)),
            "reverse in-out": lambda t, n=n: 0.05 + 0.95 * (abs(t - n / 2) / (n / 2)),
        }
        for kind, formula in formulas.items():
            assert spread(0.8, kind, blocks) == pytest.approx([0.8 * formula(t) for t in range(n)])
        parts = [block for block, _ in blocks]
        for weak in ("input", "middle", "output"):
            assert spread(0.8, f"weak {weak}", blocks) == pytest.approx([0.16 if p == weak else 0.8 for p in parts])
        strong = [0.8 if part == "middle" else 0.16 for part in parts]
        assert spread(0.8, "strong middle", blocks) == pytest.approx(strong)


def test_pictures_are_combined_as_documented():
    seen = rand(3, 4)
    assert torch.equal(ip_adapter.combined(seen, "concat"), seen)
    torch.testing.assert_close(ip_adapter.combined(seen, "add"), seen[:1] + seen[1:2] + seen[2:])
    torch.testing.assert_close(ip_adapter.combined(seen, "subtract"), seen[:1] - (seen[1:2] + seen[2:]) / 2)
    torch.testing.assert_close(ip_adapter.combined(seen, "average"), seen.mean(0)[None])
    length = (seen**2).sum(0).sqrt()
    torch.testing.assert_close(ip_adapter.combined(seen, "norm average"), ((seen / length).sum(0) / 3)[None])
    with pytest.raises(SamplingError, match="unknown way"):
        ip_adapter.combined(seen, "multiply")


def test_an_adapter_of_another_family_is_refused(tmp_path):
    sd1, sdxl = (UNet(UNETS[each]) for each in ("sd1", "sdxl"))
    adapter = read(tmp_path, adapter_tensors("standard", sdxl))
    with pytest.raises(CheckpointError, match=r"ip-adapter\.bin .* texts of 48 features, this one reads 24"):
        ip_adapter.apply(model_of(sd1), adapter, seen_by("standard"), seen_by("standard"), Use())
    other = UNet(replace(UNETS["sdxl"], context_width=24, class_width=None))
    adapter = read(tmp_path, adapter_tensors("standard", other))
    with pytest.raises(CheckpointError, match=r"UNet with \d+ attentions to the text, this one has 16"):
        ip_adapter.apply(model_of(sd1), adapter, seen_by("standard"), seen_by("standard"), Use())


def test_what_other_eyes_saw_is_refused(tmp_path):
    net = UNet(UNETS["sd1"])
    adapter = read(tmp_path, adapter_tensors("plus", net))
    with pytest.raises(CheckpointError, match=r"reads pictures as 20 features, this CLIP vision model makes 32"):
        adapter.pairs(rand(1, 9, 32))
    with pytest.raises(CheckpointError, match="encode with this adapter"):
        adapter.pairs(rand(1, 20))
    with pytest.raises(SamplingError, match="no numbers"):
        adapter.pairs(rand(1, 9, 20) * float("nan"))


def _broken(tensors, change):
    flat = {f"{group}.{name}": each for group, inside in tensors.items() for name, each in inside.items()}
    change(flat)
    return flat


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("ip_adapter.3.to_v_ip.weight"), r"ip_adapter\.3\.to_v_ip\.weight is missing"),
        (lambda t: t.update({"ip_adapter.5.to_k_ip.weight": torch.zeros(32, 9)}), r"\[32, 9\], not \[32, 24\]"),
        (
            lambda t: t["ip_adapter.1.to_k_ip.weight"].fill_(float("nan")),
            r"ip_adapter\.1\.to_k_ip\.weight holds values",
        ),
        (lambda t: t.update({"ip_adapter.0.to_q_lora.down.weight": torch.zeros(1)}), "FaceID"),
        (lambda t: [t.pop(each) for each in list(t) if each.startswith("image_proj")], "not an IP-Adapter"),
        (lambda t: (t.clear(), t.update({"lora_unet_a.lora_up.weight": torch.zeros(1)})), "it is a LoRA; put it in"),
        (lambda t: (t.clear(), t.update({"vision_model.x": torch.zeros(1)})), "it is a CLIP vision model"),
    ],
    ids=["missing", "rank", "NaN", "FaceID", "no projection", "LoRA", "vision"],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path, change, message):
    tensors = _broken(adapter_tensors("standard", UNet(UNETS["sd1"])), change)
    with pytest.raises(CheckpointError, match=message) as caught:
        read(tmp_path, tensors)
    assert "ip-adapter.bin" in str(caught.value)


def test_a_safetensors_file_is_the_same_adapter(tmp_path):
    from safetensors.torch import save_file

    tensors = adapter_tensors("plus", UNet(UNETS["sd1"]))
    save_file(_broken(tensors, lambda t: None), tmp_path / "x.safetensors")
    one = Adapter(image_prompts.ip_adapter(tmp_path / "x.safetensors", PLACE), Keeper())
    other = read(tmp_path, tensors)
    for mine, its in zip(one.pairs(seen_by("plus")), other.pairs(seen_by("plus")), strict=True):
        assert torch.equal(mine[0], its[0])
        assert torch.equal(mine[1], its[1])
