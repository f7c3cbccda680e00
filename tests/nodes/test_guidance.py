"""What guides a drawing, in whole graphs: areas, masks, ranges of steps, hints, LoRA."""

from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.graph.builder import Handle
from tests.nodes.bench import SIZE, STEPS, Bench, Drawing, close

# where and when


def test_an_area_of_the_whole_picture_is_no_area(bench: Bench) -> None:
    drawing = Drawing()
    whole = drawing.graph.node(
        "ConditioningSetArea", conditioning=drawing.positive, width=SIZE, height=SIZE, x=0, y=0, strength=1.0
    )
    plain, limited = drawing.sampled(), drawing.sampled(positive=whole)
    drawn = [bench.value(drawing.graph, each)["samples"] for each in (plain, limited)]
    assert close(drawn[1], drawn[0], 1e-3)


def test_two_areas_and_a_text_for_all_draw_together(bench: Bench) -> None:
    drawing = Drawing()
    latent = drawing.graph.node("EmptyLatentImage", width=192, height=128, batch_size=1)
    both = drawing.positive
    for text, x in (("left", 0), ("right", 96)):
        area = drawing.graph.node(
            "ConditioningSetArea", conditioning=drawing.text(text), width=96, height=128, x=x, y=0, strength=1.0
        )
        both = drawing.graph.node("ConditioningCombine", conditioning_1=both, conditioning_2=area)
    drawn = bench.value(drawing.graph, drawing.sampled(latent_image=latent, positive=both))["samples"]
    assert drawn.shape == (1, 4, 16, 24)
    assert bool(drawn.isfinite().all())


def test_a_mask_of_everything_is_no_mask(bench: Bench) -> None:
    drawing = Drawing()
    Image.new("RGB", (10, 10), "white").save(bench.folders.input / "mask.png")
    mask = drawing.graph.node("LoadImageMask", image="mask.png", channel="red")
    masked = drawing.graph.node(
        "ConditioningSetMask", conditioning=drawing.positive, mask=mask, strength=0.5, set_cond_area="default"
    )
    drawn = [
        bench.value(drawing.graph, drawing.sampled(positive=each))["samples"] for each in (drawing.positive, masked)
    ]
    assert close(drawn[1], drawn[0], 1e-3)


def test_the_same_text_in_two_ranges_of_steps_is_one_text(bench: Bench) -> None:
    drawing = Drawing()
    early, late = (
        drawing.graph.node("ConditioningSetTimestepRange", conditioning=drawing.positive, start=start, end=end)
        for start, end in ((0.0, 0.4), (0.4, 1.0))
    )
    both = drawing.graph.node("ConditioningCombine", conditioning_1=early, conditioning_2=late)
    drawn = [bench.value(drawing.graph, drawing.sampled(positive=each))["samples"] for each in (drawing.positive, both)]
    assert close(drawn[1], drawn[0], 1e-3)


# hints


def test_a_hint_changes_the_drawing_unless_its_strength_is_zero(bench: Bench) -> None:
    drawing = Drawing()
    plain = bench.value(drawing.graph, drawing.sampled())["samples"]
    for strength, changes in ((0.0, False), (0.8, True)):
        both = drawing.hinted(bench, strength=strength)
        drawn = bench.value(drawing.graph, drawing.sampled(positive=both.out(0), negative=both.out(1)))["samples"]
        assert close(drawn, plain, 1e-3) is not changes


def test_the_old_node_hints_at_both_sides_too(bench: Bench) -> None:
    drawing = Drawing()
    both = drawing.hinted(bench)
    net, image = (Handle(drawing.graph.prompt()[both.id].inputs[name].node) for name in ("control_net", "image"))
    old = drawing.graph.node(
        "ControlNetApply", conditioning=drawing.positive, control_net=net, image=image, strength=0.8
    )
    drawn = [
        bench.value(drawing.graph, each)["samples"]
        for each in (drawing.sampled(positive=both.out(0), negative=both.out(1)), drawing.sampled(positive=old))
    ]
    assert close(drawn[1], drawn[0], 1e-3)


def test_two_hints_of_half_the_strength_are_one(bench: Bench) -> None:
    drawing = Drawing()
    once = drawing.hinted(bench, strength=0.8)
    half = drawing.hinted(bench, strength=0.4)
    twice = drawing.hinted(bench, strength=0.4, positive=half.out(0), negative=half.out(1))
    drawn = [
        bench.value(drawing.graph, drawing.sampled(positive=each.out(0), negative=each.out(1)))["samples"]
        for each in (once, twice)
    ]
    assert close(drawn[1], drawn[0], 1e-3)


# LoRA


def test_a_lora_is_the_same_as_weights_with_its_product_added(bench: Bench, models: Path) -> None:
    merged = load_file(models / "checkpoints" / "tiny.safetensors")
    lora = load_file(models / "loras" / "tiny.safetensors")
    places = {
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k": (
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
            0.6,
        ),
        "lora_te_text_model_encoder_layers_1_mlp_fc1": (
            "cond_stage_model.transformer.text_model.encoder.layers.1.mlp.fc1.weight",
            -0.4,
        ),
    }
    for place, (name, strength) in places.items():
        product = lora[f"{place}.lora_up.weight"] @ lora[f"{place}.lora_down.weight"]
        merged[name] = (merged[name].float() + strength * product).half()
    folder = bench.folders.base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    save_file(merged, folder / "merged.safetensors")
    by_file = Drawing("merged.safetensors")
    expected = bench.value(by_file.graph, by_file.sampled())["samples"]

    drawing = Drawing()
    plain = bench.value(drawing.graph, drawing.sampled())["samples"]
    patched = drawing.graph.node(
        "LoraLoader",
        model=drawing.model,
        clip=drawing.clip,
        lora_name="tiny.safetensors",
        strength_model=0.6,
        strength_clip=-0.4,
    )
    drawing.model, drawing.clip = patched.out(0), patched.out(1)
    drawing.positive, drawing.negative = drawing.text("a red apple, (glossy:1.3)"), drawing.text("blurry")
    drawn = bench.value(drawing.graph, drawing.sampled())["samples"]
    assert close(drawn, expected, 5e-3)
    assert not close(drawn, plain, 5e-3)


def test_the_model_is_as_before_after_a_lora(bench: Bench) -> None:
    drawing = Drawing()
    before = bench.value(drawing.graph, drawing.sampled())["samples"]
    patched = drawing.graph.node(
        "LoraLoaderModelOnly", model=drawing.model, lora_name="tiny.safetensors", strength_model=2.0
    )
    changed = bench.value(drawing.graph, drawing.sampled(model=patched))["samples"]
    after = bench.value(drawing.graph, drawing.sampled(steps=STEPS, denoise=0.99995))["samples"]
    assert not close(changed, before, 5e-3)
    assert torch.equal(after, before)


def test_a_lora_of_no_strength_is_not_even_read(bench: Bench) -> None:
    drawing = Drawing()
    same = drawing.graph.node(
        "LoraLoaderModelOnly", model=drawing.model, lora_name="gone.safetensors", strength_model=0.0
    )
    assert bench.value(drawing.graph, same) is bench.value(drawing.graph, drawing.checkpoint, 0)
