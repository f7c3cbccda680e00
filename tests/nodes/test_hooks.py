"""Hooks in whole graphs: what they draw against the same drawn in steps, with and without LoraLoader."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.graph.builder import Handle
from tests.nodes.bench import Bench, Drawing, close

NAME = "tiny.safetensors"
STEPS = 4


def hook(drawing: Drawing, strength: float = 1.0, **more: Any) -> Handle:
    return drawing.graph.node(
        "CreateHookLora", lora_name=NAME, strength_model=strength, strength_clip=more.pop("clip", 0.0), **more
    )


def keyframes(drawing: Drawing, *frames: tuple[float, float]) -> Handle | None:
    last: dict[str, Any] = {}
    for strength, start in frames:
        made = drawing.graph.node("CreateHookKeyframe", strength_mult=strength, start_percent=start, **last)
        last = {"prev_hook_kf": made}
    return last.get("prev_hook_kf")


def scheduled(drawing: Drawing, hooks: Handle, *frames: tuple[float, float]) -> Handle:
    return drawing.graph.node("SetHookKeyframes", hooks=hooks, hook_kf=keyframes(drawing, *frames))


def both(drawing: Drawing, **properties: Any) -> dict[str, Any]:
    pair = drawing.graph.node(
        "PairConditioningSetProperties",
        positive_NEW=drawing.positive,
        negative_NEW=drawing.negative,
        strength=1.0,
        set_cond_area="default",
        **properties,
    )
    return {"positive": pair.out(0), "negative": pair.out(1)}


def patched(drawing: Drawing, strength: float) -> Handle:
    return drawing.graph.node("LoraLoaderModelOnly", model=drawing.model, lora_name=NAME, strength_model=strength)


def samples(bench: Bench, drawing: Drawing, node: Handle) -> Tensor:
    found: Tensor = bench.value(drawing.graph, node)["samples"]
    return found


def in_parts(bench: Bench, drawing: Drawing, *models: Any) -> Tensor:
    """The steps drawn by one model after the other, as many for each."""
    latent: dict[str, Any] = {}
    each = STEPS // len(models)
    for place, model in enumerate(models):
        last = place == len(models) - 1
        part = drawing.sampled_part(
            place * each,
            10000 if last else (place + 1) * each,
            model=model,
            add_noise="enable" if place == 0 else "disable",
            return_with_leftover_noise="disable" if last else "enable",
            steps=STEPS,
            **latent,
        )
        latent = {"latent_image": part}
    return samples(bench, drawing, part)


def test_a_hook_without_schedule_is_the_lora_on_the_model(bench: Bench) -> None:
    drawing = Drawing()
    plain = samples(bench, drawing, drawing.sampled())
    expected = samples(bench, drawing, drawing.sampled(model=patched(drawing, 0.8)))
    found = samples(bench, drawing, drawing.sampled(**both(drawing, hooks=hook(drawing, 0.8))))
    assert close(found, expected, 1e-5)
    assert not close(found, plain, 1e-2)


def test_a_hook_for_half_of_the_run_is_two_samplers_with_and_without_the_lora(bench: Bench) -> None:
    drawing = Drawing()
    expected = in_parts(bench, drawing, patched(drawing, 3.0), drawing.model)
    # The third of four levels lies at two thirds of the run, so a keyframe a little before that is in time.
    hooks = scheduled(drawing, hook(drawing, 3.0), (1.0, 0.0), (0.0, 0.6))
    found = samples(bench, drawing, drawing.sampled(steps=STEPS, **both(drawing, hooks=hooks)))
    assert close(found, expected, 1e-5)
    for model in (drawing.model, patched(drawing, 3.0)):
        assert not close(found, samples(bench, drawing, drawing.sampled(steps=STEPS, model=model)), 1e-3)


def test_a_hook_on_one_side_only_leaves_the_other_as_it_is(bench: Bench) -> None:
    """One step of Euler is linear in both answers, so sides drawn alone add up by the formula of guidance."""
    drawing = Drawing()
    hooked = {name: both(drawing, hooks=hook(drawing, 2.0))[name] for name in ("positive",)}

    def drawn(**changes: Any) -> Tensor:
        return samples(bench, drawing, drawing.sampled(steps=1, **changes))

    wanted = drawn(cfg=1.0, model=patched(drawing, 2.0))
    unwanted = drawn(cfg=1.0, positive=drawing.negative)
    found = drawn(cfg=3.0, **hooked)
    assert close(found, unwanted + 3.0 * (wanted - unwanted), 1e-3)
    assert not close(found, drawn(cfg=3.0), 1e-2)


def test_two_texts_with_two_hooks_meet_in_one_picture(bench: Bench) -> None:
    drawing = Drawing()

    def drawn(**changes: Any) -> Tensor:
        return samples(bench, drawing, drawing.sampled(steps=1, cfg=1.0, **changes))

    ones = [drawing.text("left"), drawing.text("right")]
    strengths = (1.5, -1.0)
    alone = [drawn(positive=text, model=patched(drawing, by)) for text, by in zip(ones, strengths, strict=True)]
    first, second = (
        drawing.graph.node(
            "ConditioningSetProperties", cond_NEW=text, strength=1.0, set_cond_area="default", hooks=hook(drawing, by)
        )
        for text, by in zip(ones, strengths, strict=True)
    )
    together = drawing.graph.node("ConditioningCombine", conditioning_1=first, conditioning_2=second)
    assert close(drawn(positive=together), (alone[0] + alone[1]) / 2, 1e-3)


def test_combined_hooks_add_up_and_one_twice_counts_once(bench: Bench) -> None:
    drawing = Drawing()
    a, b = hook(drawing, 0.5), hook(drawing, 0.25)
    sums = drawing.graph.node("CombineHooks4", hooks_A=a, hooks_C=b, hooks_D=a)
    chain = hook(drawing, 0.25, prev_hooks=a)
    expected = samples(bench, drawing, drawing.sampled(model=patched(drawing, 0.75)))
    for hooks in (sums, chain):
        found = samples(bench, drawing, drawing.sampled(**both(drawing, hooks=hooks)))
        # Half precision rounds the weight once here, twice there.
        assert close(found, expected, 2e-3)


def test_a_text_is_encoded_with_its_hooks_and_the_denoiser_wears_them(bench: Bench) -> None:
    drawing = Drawing()
    lora = drawing.graph.node(
        "LoraLoader", model=drawing.model, clip=drawing.clip, lora_name=NAME, strength_model=0.7, strength_clip=1.5
    )
    hooked = drawing.graph.node(
        "SetClipHooks", clip=drawing.clip, apply_to_conds=True, schedule_clip=False, hooks=hook(drawing, 0.7, clip=1.5)
    )
    texts = ("a red apple", "blurry")
    expected, found = (
        [drawing.graph.node("CLIPTextEncode", text=text, clip=clip) for text in texts] for clip in (lora.out(1), hooked)
    )
    ((tokens, options),) = bench.value(drawing.graph, found[0])
    assert close(tokens, bench.value(drawing.graph, expected[0])[0][0], 1e-5)
    assert len(options["hooks"].hooks) == 1
    by_lora = drawing.sampled(model=lora.out(0), positive=expected[0], negative=expected[1])
    by_hook = drawing.sampled(positive=found[0], negative=found[1])
    assert close(samples(bench, drawing, by_hook), samples(bench, drawing, by_lora), 1e-4)


def test_a_scheduled_text_is_encoded_once_for_each_keyframe(bench: Bench) -> None:
    drawing = Drawing()
    hooks = scheduled(drawing, hook(drawing, 0.0, clip=2.0), (1.0, 0.0), (0.0, 0.45))
    clip = drawing.graph.node("SetClipHooks", clip=drawing.clip, apply_to_conds=False, schedule_clip=True, hooks=hooks)
    text = drawing.graph.node("CLIPTextEncode", text="a red apple, (glossy:1.3)", clip=clip)
    early, late = bench.value(drawing.graph, text)
    lora = drawing.graph.node(
        "LoraLoader", model=drawing.model, clip=drawing.clip, lora_name=NAME, strength_model=0.0, strength_clip=2.0
    )
    changed = drawing.graph.node("CLIPTextEncode", text="a red apple, (glossy:1.3)", clip=lora.out(1))
    assert close(early[0], bench.value(drawing.graph, changed)[0][0], 1e-5)
    assert close(late[0], bench.value(drawing.graph, drawing.positive)[0][0], 1e-5)
    spans = [(each[1]["clip_start_percent"], each[1]["clip_end_percent"]) for each in (early, late)]
    assert spans == [(0.0, 0.45), (0.45, 1.0)]
    assert "hooks" not in early[1]
    parts = [
        drawing.graph.node("ConditioningSetTimestepRange", conditioning=each, start=start, end=end)
        for each, (start, end) in zip((changed, drawing.positive), spans, strict=True)
    ]
    combined = drawing.graph.node("ConditioningCombine", conditioning_1=parts[0], conditioning_2=parts[1])
    expected = samples(bench, drawing, drawing.sampled(positive=combined))
    assert close(samples(bench, drawing, drawing.sampled(positive=text)), expected, 1e-5)


def test_another_checkpoint_as_a_hook_is_some_of_the_way_to_it(bench: Bench, models: Path) -> None:
    folder = bench.folders.base / "models" / "checkpoints"
    folder.mkdir(parents=True)
    tensors = load_file(models / "checkpoints" / "tiny.safetensors")
    flipped = {name: tensor.flip(0).contiguous() for name, tensor in tensors.items()}
    save_file(flipped, folder / "other.safetensors")
    drawing = Drawing()
    other = drawing.graph.node("CheckpointLoaderSimple", ckpt_name="other.safetensors")
    for strength in (1.0, 0.25):
        hook = drawing.graph.node(
            "CreateHookModelAsLora", ckpt_name="other.safetensors", strength_model=strength, strength_clip=strength
        )
        merged = drawing.graph.node("ModelMergeSimple", model1=drawing.model, model2=other.out(0), ratio=1 - strength)
        expected = samples(bench, drawing, drawing.sampled(steps=1, model=merged))
        found = samples(bench, drawing, drawing.sampled(steps=1, **both(drawing, hooks=hook)))
        assert close(found, expected, 1e-3)
        clip = drawing.graph.node(
            "SetClipHooks", clip=drawing.clip, hooks=hook, apply_to_conds=True, schedule_clip=False
        )
        mixed = drawing.graph.node("CLIPMergeSimple", clip1=drawing.clip, clip2=other.out(1), ratio=1 - strength)
        tokens = [
            bench.value(drawing.graph, drawing.graph.node("CLIPTextEncode", text="a cat", clip=each))[0][0]
            for each in (clip, mixed)
        ]
        assert close(tokens[0], tokens[1], 1e-3)


def test_default_conditions_fill_what_others_leave(bench: Bench) -> None:
    drawing = Drawing()
    mask = bench.constant(drawing.graph, torch.cat([torch.ones(1, 8, 4), torch.zeros(1, 8, 4)], dim=2))
    left = drawing.graph.node(
        "ConditioningSetProperties", cond_NEW=drawing.positive, strength=1.0, set_cond_area="default", mask=mask
    )
    other = drawing.text("a green pear")
    combined = drawing.graph.node("ConditioningSetDefaultCombine", cond=left, cond_DEFAULT=other)

    def drawn(**changes: Any) -> Tensor:
        return samples(bench, drawing, drawing.sampled(steps=1, cfg=1.0, **changes))

    found, halves = drawn(positive=combined), (drawn(), drawn(positive=other))
    expected = torch.cat([halves[0][..., :4], halves[1][..., 4:]], dim=3)
    assert close(found, expected, 1e-4)
    whole = drawing.graph.node("ConditioningSetDefaultCombine", cond=drawing.positive, cond_DEFAULT=other)
    assert close(drawn(positive=whole), halves[0], 1e-5)


def test_ranges_and_interpolated_strengths_are_spread_over_the_run(bench: Bench) -> None:
    drawing = Drawing()
    ranges = drawing.graph.node("ConditioningTimestepsRange", start_percent=0.2, end_percent=0.7)
    found = [bench.value(drawing.graph, ranges, slot) for slot in range(3)]
    assert found == [(0.2, 0.7), (0.0, 0.2), (0.7, 1.0)]
    floats = bench.constant(drawing.graph, [1.0, 0.5, 0.0])
    listed = drawing.graph.node(
        "CreateHookKeyframesFromFloats",
        floats_strength=floats,
        start_percent=0.0,
        end_percent=1.0,
        print_keyframes=False,
    )
    curve = drawing.graph.node(
        "CreateHookKeyframesInterpolated",
        strength_start=1.0,
        strength_end=0.0,
        interpolation="linear",
        start_percent=0.0,
        end_percent=1.0,
        keyframes_count=3,
        print_keyframes=True,
    )
    frames = [bench.value(drawing.graph, each).frames for each in (listed, curve)]
    assert frames[0] == frames[1]
    assert [(each.strength, each.start, each.steps) for each in frames[0]] == [
        (1.0, 0.0, 1),
        (0.5, 0.5, 0),
        (0.0, 1.0, 0),
    ]


def test_no_strength_at_all_does_not_even_read_the_file(bench: Bench) -> None:
    drawing = Drawing()
    nothing = drawing.graph.node("CreateHookLora", lora_name="gone.safetensors", strength_model=0.0, strength_clip=0.0)
    assert bench.value(drawing.graph, nothing).hooks == ()
    same = samples(bench, drawing, drawing.sampled(steps=1, **both(drawing, hooks=nothing)))
    assert close(same, samples(bench, drawing, drawing.sampled(steps=1)), 1e-5)


def test_what_is_no_hook_is_refused_naming_the_side(bench: Bench) -> None:
    drawing = Drawing()
    wrong = bench.constant(drawing.graph, [[torch.zeros(1, 77, 64), {"hooks": "lora"}]])
    message = bench.message(drawing.graph, drawing.sampled(positive=wrong))
    assert "positive: expected hooks made by a CreateHook node, got str" in message


# what does not fit


def model_hook(drawing: Drawing, name: str, model: float, clip: float) -> Handle:
    return drawing.graph.node("CreateHookModelAsLora", ckpt_name=name, strength_model=model, strength_clip=clip)


def hooked_text(drawing: Drawing, hooks: Handle) -> Handle:
    clip = drawing.graph.node("SetClipHooks", clip=drawing.clip, hooks=hooks, apply_to_conds=True, schedule_clip=False)
    return drawing.graph.node("CLIPTextEncode", text="a cat", clip=clip)


@pytest.mark.parametrize("class_type", ["CreateHookModelAsLora", "CreateHookModelAsLoraModelOnly"])
def test_a_checkpoint_of_another_family_as_a_hook_is_refused_by_its_name(class_type: str, bench: Bench) -> None:
    drawing = Drawing()
    more = {"strength_clip": 1.0} if class_type.endswith("Lora") else {}
    hooks = drawing.graph.node(class_type, ckpt_name="wide.safetensors", strength_model=0.5, **more)
    message = bench.message(drawing.graph, drawing.sampled(steps=1, **both(drawing, hooks=hooks)))
    assert "wide.safetensors is of another family than the model that wears it as a hook" in message
    assert "attn2.to_k.weight [32, 64] and [32, 128]" in message
    assert "choose one of the same family" in message


def test_a_hooks_text_encoder_of_another_family_is_refused_at_the_clip(bench: Bench) -> None:
    drawing = Drawing()
    message = bench.message(drawing.graph, hooked_text(drawing, model_hook(drawing, "wide.safetensors", 0.0, 1.0)))
    assert message.startswith("CLIPTextEncode: input clip: the text encoder of wide.safetensors is of another family")
    message = bench.message(drawing.graph, hooked_text(drawing, model_hook(drawing, "unet_only.safetensors", 0.0, 1.0)))
    assert "unet_only.safetensors: no text encoder inside" in message
    assert "CreateHookModelAsLoraModelOnly" in message


def test_a_hook_is_not_judged_by_the_half_that_has_no_strength(bench: Bench) -> None:
    drawing = Drawing()
    plain = drawing.graph.node("CLIPTextEncode", text="a cat", clip=drawing.clip)
    ((expected, _),) = bench.value(drawing.graph, plain)
    hooks = model_hook(drawing, "wide.safetensors", 1.0, 0.0)
    ((found, _),) = bench.value(drawing.graph, hooked_text(drawing, hooks))
    assert torch.equal(found, expected)
    hooks = model_hook(drawing, "wide.safetensors", 0.0, 1.0)
    same = samples(bench, drawing, drawing.sampled(steps=1, **both(drawing, hooks=hooks)))
    assert close(same, samples(bench, drawing, drawing.sampled(steps=1)), 1e-5)


def test_a_lora_hook_of_which_nothing_fits_the_text_encoder_is_told(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    folder = bench.folders.base / "models" / "loras"
    folder.mkdir(parents=True)
    name = "lora_te2_text_model_encoder_layers_1_mlp_fc1"  # SDXL's second text encoder
    save_file(
        {f"{name}.lora_up.weight": torch.ones(64, 4), f"{name}.lora_down.weight": torch.ones(4, 64)},
        folder / "xl.safetensors",
    )
    drawing = Drawing()
    hooks = drawing.graph.node("CreateHookLora", lora_name="xl.safetensors", strength_model=0.0, strength_clip=1.0)
    bench.value(drawing.graph, hooked_text(drawing, hooks))
    (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert record.message.startswith(
        "xl.safetensors fits no weight of this CLIP (clip_l); it was made for another family"
    )
