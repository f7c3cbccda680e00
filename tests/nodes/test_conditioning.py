"""Where and when a text guides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoints.load import Loader
from engine.conditioning import Area
from engine.errors import CheckpointError, ImageError, SamplingError
from engine.folders import Folders
from nodes import conditioning
from nodes.convert import conditions
from tests.nodes.bench import Bench, Drawing

Make = Callable[..., list[list[Any]]]


def test_combining_keeps_both_in_order(condition: Make) -> None:
    first, second = condition(strength=1.0), condition(strength=2.0)
    combined = conditioning.conditioning_combine(conditioning_1=first, conditioning_2=second)
    assert [options["strength"] for _, options in combined] == [1.0, 2.0]
    assert len(first) == len(second) == 1


def test_an_area_is_given_in_cells_and_the_input_is_left_as_it_was(condition: Make) -> None:
    given = condition(pooled_output=None, set_area_to_bounds=True)
    made = conditioning.conditioning_set_area(conditioning=given, width=100, height=64, x=15, y=24, strength=0.7)
    assert made[0][1] == {
        "pooled_output": None,
        "area": (8, 12, 3, 1),
        "strength": 0.7,
        "set_area_to_bounds": False,
    }
    assert given[0][1] == {"pooled_output": None, "set_area_to_bounds": True}


@pytest.mark.parametrize(("mode", "bounds"), [("default", False), ("mask bounds", True)])
def test_a_mask_gets_a_batch_axis_and_a_strength(mode: Any, bounds: bool, condition: Make) -> None:
    made = conditioning.conditioning_set_mask(
        conditioning=condition(), mask=torch.ones(4, 6), strength=0.8, set_cond_area=mode
    )
    options = made[0][1]
    assert options["mask"].shape == (1, 4, 6)
    assert options["mask_strength"] == 0.8
    assert options["set_area_to_bounds"] is bounds
    assert "strength" not in options


def test_an_empty_mask_is_an_error(condition: Make) -> None:
    with pytest.raises(ImageError, match=r"^mask: expected a mask"):
        conditioning.conditioning_set_mask(
            conditioning=condition(), mask=torch.ones(0, 6), strength=0.8, set_cond_area="default"
        )


def test_a_range_of_steps_replaces_an_earlier_one(condition: Make) -> None:
    once = conditioning.conditioning_set_timestep_range(conditioning=condition(), start=0.1, end=0.4)
    twice = conditioning.conditioning_set_timestep_range(conditioning=once, start=0.5, end=0.9)
    assert twice[0][1] == {"start_percent": 0.5, "end_percent": 0.9}
    assert once[0][1] == {"start_percent": 0.1, "end_percent": 0.4}


# texts mixed


def entry(length: int, seed: int = 0, **options: Any) -> list[Any]:
    return [torch.randn(1, length, 8, generator=torch.Generator().manual_seed(seed)), options]


def test_an_average_cuts_or_fills_up_the_other_text_and_mixes_summaries() -> None:
    to = [entry(4, pooled_output=torch.ones(1, 3), strength=2.0), entry(2, seed=1)]
    other = [entry(3, seed=2, pooled_output=torch.zeros(1, 3), strength=5.0)]
    made = conditioning.conditioning_average(conditioning_to=to, conditioning_from=other, conditioning_to_strength=0.25)
    filled = torch.cat([other[0][0], torch.zeros(1, 1, 8)], 1)
    assert torch.allclose(made[0][0], to[0][0] * 0.25 + filled * 0.75)
    assert torch.allclose(made[1][0], to[1][0] * 0.25 + other[0][0][:, :2] * 0.75)
    assert made[0][1]["pooled_output"].unique().tolist() == [0.25]
    assert made[0][1]["strength"] == 2.0
    assert torch.equal(made[1][1]["pooled_output"], torch.zeros(1, 3))  # where it has none, the other's is taken
    kept = conditioning.conditioning_average(conditioning_to=to, conditioning_from=[entry(3)])
    assert kept[0][1]["pooled_output"].unique().tolist() == [1.0]
    assert "pooled_output" not in kept[1][1]


def test_of_several_texts_to_mix_in_the_first_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    others = [entry(3, seed=1), entry(3, seed=2)]
    made = conditioning.conditioning_average(
        conditioning_to=[entry(3)], conditioning_from=others, conditioning_to_strength=0.0
    )
    assert torch.equal(made[0][0], others[0][0])
    assert "conditioning_from has 2 texts" in caplog.text


def test_a_text_goes_on_with_another() -> None:
    to = [entry(4, pooled_output=torch.ones(1, 3))]
    made = conditioning.conditioning_concat(conditioning_to=to, conditioning_from=[entry(3, seed=1), entry(9)])
    assert torch.equal(made[0][0], torch.cat([to[0][0], entry(3, seed=1)[0]], 1))
    assert made[0][1] == to[0][1]


def test_a_silenced_text_keeps_its_options() -> None:
    given = [entry(4, pooled_output=torch.ones(1, 3), conditioning_lyrics=torch.ones(2), strength=3.0)]
    (made,) = conditioning.conditioning_zero_out(conditioning=given)
    assert not made[0].any()
    assert not made[1]["pooled_output"].any()
    assert not made[1]["conditioning_lyrics"].any()
    assert made[1]["strength"] == 3.0
    assert given[0][1]["pooled_output"].all()
    assert conditioning.conditioning_zero_out(conditioning=[entry(4, pooled_output=None)])[0][1] == {
        "pooled_output": None
    }


@pytest.mark.parametrize("work", [conditioning.conditioning_average, conditioning.conditioning_concat])
def test_texts_of_other_families_are_named(work: Any) -> None:
    wide = [[torch.zeros(1, 4, 16), {}]]
    with pytest.raises(SamplingError, match="one text has 8 features, the other 16") as raised:
        work(conditioning_to=[entry(4)], conditioning_from=wide)
    assert raised.value.input == "conditioning_from"
    with pytest.raises(SamplingError, match="the conditioning is empty"):
        work(conditioning_to=[entry(4)], conditioning_from=[])


def test_an_area_is_given_in_shares_and_a_strength_alone() -> None:
    made = conditioning.conditioning_set_area_percentage(
        conditioning=[entry(4)], width=0.5, height=0.25, x=0.1, y=0.2, strength=1.5
    )
    assert made[0][1] == {"area": ("percentage", 0.25, 0.5, 0.2, 0.1), "strength": 1.5, "set_area_to_bounds": False}
    (found,) = conditions(made, "positive")
    assert found.area == Area(0.25, 0.5, 0.2, 0.1, is_share=True)
    made = conditioning.conditioning_set_area_strength(conditioning=[entry(4, area=(1, 2, 3, 4))], strength=0.5)
    assert made[0][1] == {"area": (1, 2, 3, 4), "strength": 0.5}


# pictures shown to models


def test_an_editing_model_sees_the_picture_and_draws_into_nothing(bench: Bench) -> None:
    drawing, image = Drawing(), torch.rand(1, 67, 64, 3, generator=torch.Generator().manual_seed(0))
    node = drawing.graph.node(
        "InstructPixToPixConditioning",
        positive=drawing.positive,
        negative=drawing.negative,
        vae=drawing.vae,
        pixels=bench.constant(drawing.graph, image),
    )
    encoded = drawing.graph.node("VAEEncode", pixels=bench.constant(drawing.graph, image[:, 1:65]), vae=drawing.vae)
    values = bench.run(drawing.graph, node, encoded).check().values
    seen = values[encoded.id][0][0]["samples"]
    for slot in (0, 1):
        assert torch.allclose(values[node.id][slot][0][0][1]["concat_latent_image"], seen, atol=1e-5)
    assert torch.equal(values[node.id][2][0]["samples"], torch.zeros_like(seen))


@pytest.mark.parametrize("is_masked", [True, False])
def test_an_inpainting_model_sees_grey_where_it_is_to_draw(is_masked: bool, bench: Bench) -> None:
    drawing, image = Drawing(), torch.rand(1, 67, 64, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, 67, 64)
    mask[:, 20:40, 8:30] = 0.8
    mask[:, 50:60] = 0.4
    node = drawing.graph.node(
        "InpaintModelConditioning",
        positive=drawing.positive,
        negative=drawing.negative,
        vae=drawing.vae,
        pixels=bench.constant(drawing.graph, image),
        mask=bench.constant(drawing.graph, mask),
        noise_mask=is_masked,
    )
    grey = image[:, 1:65].clone()
    grey[:, 19:39, 8:30] = 0.5
    coded = [
        drawing.graph.node("VAEEncode", pixels=bench.constant(drawing.graph, each), vae=drawing.vae)
        for each in (grey, image[:, 1:65])
    ]
    values = bench.run(drawing.graph, node, *coded).check().values
    said = values[node.id][1][0][0][1]
    assert torch.allclose(said["concat_latent_image"], values[coded[0].id][0][0]["samples"], atol=1e-5)
    assert torch.equal(said["concat_mask"][:, 0], mask[:, 1:65])
    latent = values[node.id][2][0]
    assert torch.allclose(latent["samples"], values[coded[1].id][0][0]["samples"], atol=1e-5)
    assert ("noise_mask" in latent) == is_masked
    if is_masked:
        assert torch.equal(latent["noise_mask"][:, 0], mask[:, 1:65])


def test_what_is_too_small_or_no_picture_is_named(bench: Bench) -> None:
    drawing = Drawing()
    node = drawing.graph.node(
        "InstructPixToPixConditioning",
        positive=drawing.positive,
        negative=drawing.negative,
        vae=drawing.vae,
        pixels=bench.constant(drawing.graph, torch.rand(1, 4, 64, 3)),
    )
    assert "pixels: expected pictures of at least 8×8 pixels" in bench.message(drawing.graph, node)


# Lotus


def test_lotus_text_is_what_transformers_makes_of_the_start_and_the_end(folders: Folders, tmp_path: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=49408, hidden_size=64, intermediate_size=64, num_hidden_layers=24, num_attention_heads=1,
        hidden_act="gelu", bos_token_id=49406, eos_token_id=49407, pad_token_id=0,
    )  # fmt: skip
    model = CLIPTextModel(config).eval()
    folder = tmp_path / "texts"
    folder.mkdir()
    folders.add_folder("text_encoders", folder)
    save_file({"weight": torch.zeros(1)}, folder / "another.safetensors")
    (folder / "broken.safetensors").write_bytes(b"not weights")
    weights = {f"text_model.{name.removeprefix('text_model.')}": w for name, w in model.state_dict().items()}
    save_file({name: w.contiguous() for name, w in weights.items()}, folder / "clip_h.safetensors")
    (made,) = conditioning.lotus_conditioning(folders=folders, loader=Loader()).conditioning
    with torch.no_grad():
        seen = model(torch.tensor([[49406, 49407]]), output_hidden_states=True)
        norm = getattr(model, "text_model", model).final_layer_norm
        wanted = norm(seen.hidden_states[-2]).half().float()
    assert made[1] == {}
    assert made[0].shape == (1, 2, 64)
    assert torch.allclose(made[0], wanted, atol=2e-3)


def test_without_the_encoder_lotus_says_what_to_fetch(folders: Folders) -> None:
    with pytest.raises(CheckpointError, match="text encoder of Stable Diffusion 2, of which no file was found"):
        conditioning.lotus_conditioning(folders=folders, loader=Loader())
