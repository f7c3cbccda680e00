"""Core node classes as plugins use them, against our own nodes, torch and Pillow."""

import json
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from compat.crossing import enter
from compat.host import Host
from engine.errors import Cancelled, PathError
from engine.folders import VAE_AND_SMALL
from tests.compat.light.our_nodes import cond, ours

torch.manual_seed(0)


# --------------------------------------------------------------------------------------------------------- the module


def test_every_built_in_id_has_a_class_with_its_function(nodes, host: Host):
    for each in host.registry:
        if each.yields:
            assert each.id not in nodes.NODE_CLASS_MAPPINGS, "packs ask the table whether another pack is there"
            continue
        found = nodes.NODE_CLASS_MAPPINGS[each.id]
        assert callable(getattr(found, found.FUNCTION))
        assert {*found.INPUT_TYPES()["required"]} >= {one.name for one in each.inputs if one.required}, each.id
        assert [*found.RETURN_TYPES] == [one.type for one in each.outputs], each.id
        assert each.id in nodes.NODE_DISPLAY_NAME_MAPPINGS


def test_what_a_plugin_writes_into_the_table_stays(nodes):
    from nodes import NODE_CLASS_MAPPINGS

    class Mine:
        pass

    NODE_CLASS_MAPPINGS["Mine"] = Mine
    nodes.VHSLoadFormats = {"x": 1}
    nodes.EXTENSION_WEB_DIRS["mine"] = "/web"
    import nodes as again

    assert again.NODE_CLASS_MAPPINGS["Mine"] is Mine
    assert again.EXTENSION_WEB_DIRS["mine"] == "/web"
    del nodes.VHSLoadFormats


def test_nodes_of_extras_are_found_by_id(nodes):
    (mask,) = nodes.NODE_CLASS_MAPPINGS["SolidMask"]().solid(0.5, 3, 2)
    assert mask.shape == (1, 2, 3)
    assert nodes.MAX_RESOLUTION == 16384


def test_an_unknown_name_is_named(nodes):
    with pytest.raises(ImportError):
        from nodes import NoSuchNode  # noqa: F401
    with pytest.raises(AttributeError, match=r"nodes\.NoSuchNode"):
        _ = nodes.NoSuchNode


def test_a_built_in_node_without_a_class_of_its_own_is_called_by_its_id(nodes, host: Host):
    cls = nodes.NODE_CLASS_MAPPINGS["PrimitiveInt"]
    assert getattr(cls(), cls.FUNCTION)(value=7) == (7,)


def test_file_lists_of_generated_classes_know_their_kind(nodes, host: Host):
    from compat.core_nodes.built_in import class_of

    names = class_of(host.registry["VAELoader"]).INPUT_TYPES()["required"]["vae_name"][0]
    assert (names.kind, names.also) == (VAE_AND_SMALL, ("pixel_space",))
    assert names == [*host.folders.list("vae"), "pixel_space"]


def test_a_prompt_can_be_interrupted(nodes):
    nodes.interrupt_processing()
    with pytest.raises(Cancelled):
        nodes.before_node_execution()
    nodes.before_node_execution()


# ------------------------------------------------------------------------------------------------------ texts and more


def test_texts_are_encoded_as_our_node_does(nodes, parts, loaded, host: Host):
    (made,) = nodes.CLIPTextEncode().encode(parts[1], "a (red:1.3) cat")
    (wanted,) = ours(host, "CLIPTextEncode", clip=loaded.clip, text="a (red:1.3) cat")
    assert torch.allclose(made[0][0], wanted[0], atol=1e-6)
    assert torch.allclose(made[0][1]["pooled_output"], wanted[1]["pooled_output"], atol=1e-6)
    with pytest.raises(RuntimeError, match="no text encoder"):
        nodes.CLIPTextEncode().encode(None, "x")


def test_clip_skip_is_our_nodes(nodes, parts, loaded, host: Host):
    (skipped,) = nodes.CLIPSetLastLayer().set_last_layer(parts[1], -2)
    (made,) = nodes.CLIPTextEncode().encode(skipped, "x")
    (plain,) = nodes.CLIPTextEncode().encode(parts[1], "x")
    (wanted,) = ours(host, "CLIPTextEncode", clip=loaded.clip.with_last_layer(-2), text="x")
    assert torch.allclose(made[0][0], wanted[0], atol=1e-6)
    assert not torch.allclose(made[0][0], plain[0][0], atol=1e-6)


def test_conditionings_are_combined_and_joined(nodes):
    a, b = cond(2, 1.0), cond(3, 2.0)
    assert nodes.ConditioningCombine().combine(a, b) == (a + b,)
    ((tokens, options),) = nodes.ConditioningConcat().concat(a, b)[0]
    assert tokens[0, :, 0].tolist() == [1, 1, 2, 2, 2]
    assert options["pooled_output"] is a[0][1]["pooled_output"]


def test_averages_pad_with_zeros_and_mix_the_pooled(nodes):
    ((tokens, options),) = nodes.ConditioningAverage().addWeighted(cond(3, 1.0, area=1), cond(2, 3.0), 0.25)[0]
    assert tokens[0, :, 0].tolist() == [2.5, 2.5, 0.25]
    assert options["pooled_output"].tolist() == [[2.5, 2.5]]
    assert options["area"] == 1
    longer = nodes.ConditioningAverage().addWeighted(cond(1, 0.0), cond(4, 1.0), 0.5)[0]
    assert longer[0][0].shape[1] == 1
    without = [[torch.zeros(1, 1, 4), {}]]
    assert nodes.ConditioningAverage().addWeighted(without, cond(1, 3.0), 0.5)[0][0][1]["pooled_output"][0, 0] == 3.0


def test_conditionings_are_silenced_masked_and_timed(nodes):
    given = cond(2, 1.0, strength=0.7)
    ((tokens, options),) = nodes.ConditioningZeroOut().zero_out(given)[0]
    assert not tokens.any()
    assert not options["pooled_output"].any()
    assert options["strength"] == 0.7
    mask = torch.ones(4, 4)
    options = nodes.ConditioningSetMask().append(given, mask, "mask bounds", 0.5)[0][0][1]
    assert (options["mask"].shape, options["mask_strength"], options["set_area_to_bounds"]) == ((1, 4, 4), 0.5, True)
    options = nodes.ConditioningSetTimestepRange().set_range(given, 0.25, 0.5)[0][0][1]
    assert (options["start_percent"], options["end_percent"]) == (0.25, 0.5)
    options = nodes.ConditioningSetArea().append(given, 128, 64, 8, 16, 2.0)[0][0][1]
    assert (options["area"], options["strength"]) == ((8, 16, 2, 1), 2.0)
    options = nodes.ConditioningSetAreaPercentage().append(given, 0.5, 0.25, 0.1, 0.2, 1.0)[0][0][1]
    assert options["area"] == ("percentage", 0.25, 0.5, 0.2, 0.1)
    assert nodes.ConditioningSetAreaStrength().append(given, 3.0)[0][0][1]["strength"] == 3.0
    assert given[0][1].keys() == {"pooled_output", "strength"}


# -------------------------------------------------------------------------------------------------- pixels and latents


def test_pictures_become_latents_and_back_as_in_our_nodes(nodes, parts, loaded, host: Host):
    pixels = torch.rand(1, 68, 75, 4)
    (latent,) = nodes.VAEEncode().encode(parts[2], pixels)
    wanted = ours(host, "VAEEncode", pixels=pixels, vae=loaded.vae)
    assert torch.allclose(latent["samples"], wanted["samples"], atol=1e-5)
    (image,) = nodes.VAEDecode().decode(parts[2], latent)
    assert torch.allclose(image, ours(host, "VAEDecode", samples=wanted, vae=loaded.vae), atol=1e-5)
    assert nodes.VAEEncode.vae_encode_crop_pixels(pixels).shape == (1, 64, 72, 4)


def test_tiles_show_what_the_whole_does(nodes, parts):
    latent = {"samples": torch.randn(1, 4, 12, 20)}
    whole = nodes.VAEDecode().decode(parts[2], latent)[0]
    tiled = nodes.VAEDecodeTiled().decode(parts[2], latent, 512)[0]
    assert torch.allclose(whole, tiled, atol=1e-4)
    pixels = torch.rand(1, 64, 96, 3)
    whole = nodes.VAEEncode().encode(parts[2], pixels)[0]["samples"]
    assert torch.allclose(whole, nodes.VAEEncodeTiled().encode(parts[2], pixels, 512)[0]["samples"], atol=1e-4)


def test_tiles_are_asked_for_in_a_vaes_own_units(nodes):
    class Video:
        asked = None

        def spacial_compression_decode(self):
            return 8

        def temporal_compression_decode(self):
            return 4

        def decode_tiled(self, samples, **given):
            self.asked = given
            return torch.zeros(1, 2, 8, 8, 3)

    vae = Video()
    (made,) = nodes.VAEDecodeTiled().decode(vae, {"samples": torch.zeros(1, 4, 2, 1, 1)}, 128, 64, 64, 40)
    assert vae.asked == {"tile_x": 16, "tile_y": 16, "overlap": 4, "tile_t": 16, "overlap_t": 8}
    assert made.shape == (2, 8, 8, 3)


def test_inpainting_encodes_as_our_node_does(nodes, parts, loaded, host: Host):
    pixels, mask = torch.rand(1, 64, 72, 3), torch.zeros(1, 32, 36)
    mask[:, 8:20, 8:20] = 1
    (made,) = nodes.VAEEncodeForInpaint().encode(parts[2], pixels, mask, 7)
    wanted = ours(host, "VAEEncodeForInpaint", pixels=pixels, vae=loaded.vae, mask=mask, grow_mask_by=7)
    assert torch.equal(made["noise_mask"], wanted["noise_mask"])
    assert torch.allclose(made["samples"], wanted["samples"], atol=1e-5)


def test_inpainting_models_see_the_picture_without_its_masked_part(nodes, parts):
    pixels, mask = torch.rand(1, 64, 64, 3), torch.zeros(1, 64, 64)
    mask[:, :32] = 0.9
    positive, negative, latent = nodes.InpaintModelConditioning().encode(
        cond(1, 0.0), cond(1, 1.0), pixels, parts[2], mask
    )
    grey = torch.where(mask[..., None] > 0.5, 0.5, pixels)
    for side in (positive, negative):
        assert torch.allclose(side[0][1]["concat_latent_image"], parts[2].encode(grey), atol=1e-5)
        assert side[0][1]["concat_mask"].max() == pytest.approx(0.9)
    assert torch.allclose(latent["samples"], parts[2].encode(pixels), atol=1e-5)
    assert latent["noise_mask"].shape == (1, 1, 64, 64)
    bare = nodes.InpaintModelConditioning().encode(cond(1, 0.0), cond(1, 1.0), pixels, parts[2], mask, False)
    assert "noise_mask" not in bare[2]


def test_latents_are_made_taken_apart_and_repeated(nodes):
    (empty,) = nodes.EmptyLatentImage().generate(64, 32, 3)
    assert empty["samples"].shape == (3, 4, 4, 8)
    batch = {"samples": torch.arange(4.0).reshape(4, 1, 1, 1), "noise_mask": torch.arange(2.0).reshape(2, 1, 1, 1)}
    (some,) = nodes.LatentFromBatch().frombatch(batch, 2, 9)
    assert some["samples"].flatten().tolist() == [2, 3]
    assert some["noise_mask"].flatten().tolist() == [0, 1]
    assert some["batch_index"] == [2, 3]
    (twice,) = nodes.RepeatLatentBatch().repeat(some, 2)
    assert twice["samples"].flatten().tolist() == [2, 3, 2, 3]
    assert twice["batch_index"] == [2, 3, 4, 5]
    assert "batch_index" not in nodes.RepeatLatentBatch().repeat({"samples": torch.zeros(1, 4, 1, 1)}, 2)[0]


@pytest.mark.parametrize(
    ("width", "height", "crop"), [(96, 0, "disabled"), (0, 96, "center"), (0, 0, "disabled"), (8, 128, "center")]
)
def test_latents_are_resized_as_in_our_node(nodes, host: Host, width, height, crop):
    latent = {"samples": torch.randn(2, 4, 6, 9), "other": 1}
    given = {"samples": latent, "upscale_method": "bicubic", "width": width, "height": height, "crop": crop}
    (made,) = nodes.LatentUpscale().upscale(**given)
    assert torch.equal(made["samples"], ours(host, "LatentUpscale", **given)["samples"])
    (by,) = nodes.LatentUpscaleBy().upscale(latent, "bislerp", 1.5)
    wanted = ours(host, "LatentUpscaleBy", samples=latent, upscale_method="bislerp", scale_by=1.5)
    assert torch.equal(by["samples"], wanted["samples"])
    assert by["other"] == 1
    assert "bislerp" in nodes.LatentUpscaleBy.upscale_methods


def test_a_latent_is_pasted_with_fading_edges_inside_the_picture_only(nodes):
    to, paste = {"samples": torch.zeros(1, 1, 8, 8)}, {"samples": torch.ones(1, 1, 4, 4)}
    made = nodes.LatentComposite().composite(to, paste, x=0, y=32, feather=16)[0]["samples"][0, 0]
    # At the left nothing fades, at the bottom the patch ends with the picture.
    assert made[4:, 0].tolist() == [0.5, 1, 1, 1]
    assert made[7, :5].tolist() == [1, 1, 1, 0.5, 0]
    assert not to["samples"].any()


@pytest.mark.parametrize(("width", "height"), [(10, 0), (0, 12), (0, 0), (7, 5)])
def test_pictures_are_resized_as_in_our_node(nodes, host: Host, width, height):
    image = torch.rand(2, 9, 13, 3)
    given = {"image": image, "upscale_method": "lanczos", "width": width, "height": height, "crop": "center"}
    assert torch.equal(nodes.ImageScale().upscale(**given)[0], ours(host, "ImageScale", **given))
    (by,) = nodes.ImageScaleBy().upscale(image, "area", 0.5)
    assert torch.equal(by, ours(host, "ImageScaleBy", image=image, upscale_method="area", scale_by=0.5))
    assert nodes.ImageScale.crop_methods == ["disabled", "center"]


def test_pictures_get_room_to_be_drawn_in(nodes):
    image = torch.zeros(1, 6, 6, 3)
    canvas, mask = nodes.ImagePadForOutpaint().expand_image(image, 0, 0, 4, 0, 2)
    assert canvas.shape == (1, 6, 10, 3)
    assert canvas[0, :, 6:].unique().tolist() == [0.5]
    assert mask[0, 0].tolist() == [0, 0, 0, 0, 0, 0.25, 1, 1, 1, 1]


# ------------------------------------------------------------------------------------------------------------ pictures


def test_pictures_are_saved_with_their_texts(nodes, host: Host):
    image = torch.rand(2, 8, 9, 3)
    shown = nodes.SaveImage().save_images(image, "sub/a", {"1": {}}, {"workflow": {"x": 1}})["ui"]["images"]
    assert [each["filename"] for each in shown] == ["a_00001_.png", "a_00002_.png"]
    assert {(each["subfolder"], each["type"]) for each in shown} == {("sub", "output")}
    with Image.open(host.folders.output / "sub" / "a_00002_.png") as saved:
        assert json.loads(saved.text["prompt"]) == {"1": {}}
        assert json.loads(saved.text["workflow"]) == {"x": 1}
        wanted = (image[1] * 255).to(torch.uint8).numpy()
        assert numpy.array_equal(numpy.asarray(saved), wanted)


def test_metadata_can_be_turned_off(nodes, host: Host):
    from comfy.cli_args import args

    args.disable_metadata = True
    shown = nodes.SaveImage().save_images(torch.rand(1, 8, 8, 3), "bare", {"1": {}}, {"workflow": {}})["ui"]["images"]
    with Image.open(host.folders.output / shown[0]["filename"]) as saved:
        assert not saved.text


def test_a_subclass_says_where_and_how(nodes, host: Host, tmp_path: Path):
    class Mine(nodes.SaveImage):
        def __init__(self):
            self.output_dir = str(tmp_path / "mine")
            self.type = "temp"
            self.prefix_append = "_x"
            self.compress_level = 0

    (shown,) = Mine().save_images(torch.zeros(1, 64, 64, 3), "a")["ui"]["images"]
    assert shown == {"filename": "a_x_00001_.png", "subfolder": "", "type": "temp"}
    assert (tmp_path / "mine" / "a_x_00001_.png").stat().st_size > 64 * 64 * 3  # not compressed
    with pytest.raises(PathError):
        Mine().save_images(torch.zeros(1, 8, 8, 3), "../a")


def test_previews_go_to_the_temporary_folder(nodes, host: Host):
    node = nodes.PreviewImage()
    (shown,) = node.save_images(torch.rand(1, 8, 8, 3))["ui"]["images"]
    assert (node.output_dir, node.type, node.compress_level) == (str(host.folders.temp), "temp", 1)
    assert shown["filename"] == f"ComfyUI{node.prefix_append}_00001_.png"
    assert len(node.prefix_append) == len("_temp_") + 5
    assert (host.folders.temp / shown["filename"]).is_file()
    assert "filename_prefix" not in nodes.PreviewImage.INPUT_TYPES()["required"]


def test_latents_are_saved(nodes, host: Host):
    from safetensors.torch import load_file

    latent = {"samples": torch.randn(1, 4, 2, 2)}
    (shown,) = nodes.SaveLatent().save(latent, "latents/a", prompt={"1": 2})["ui"]["latents"]
    read = load_file(host.folders.output / shown["subfolder"] / shown["filename"])
    assert torch.equal(read["latent_tensor"], latent["samples"])
    assert read["latent_format_version_0"].numel() == 0


def test_a_picture_is_read_from_the_input_folder(nodes, host: Host):
    Image.new("RGBA", (4, 3), (255, 0, 0, 51)).save(host.folders.input / "a.png")
    image, mask = nodes.LoadImage().load_image("a.png")
    assert image[0, 0, 0].tolist() == [1, 0, 0]
    assert mask[0, 0, 0] == pytest.approx(0.8)
    assert nodes.LoadImageMask().load_image("a.png", "red")[0].unique().tolist() == [1]
    assert nodes.LoadImage.VALIDATE_INPUTS("a.png") is True
    assert "Invalid image" in nodes.LoadImage.VALIDATE_INPUTS("b.png")
    before = nodes.LoadImage.IS_CHANGED("a.png")
    Image.new("RGB", (4, 3)).save(host.folders.input / "a.png")
    assert nodes.LoadImage.IS_CHANGED("a.png") != before
    assert nodes.LoadImage.INPUT_TYPES()["required"]["image"][0] == ["a.png"]


def test_batches_are_brought_to_one_size(nodes, host: Host):
    first, second = torch.rand(1, 8, 8, 3), torch.rand(2, 4, 6, 3)
    assert torch.equal(
        nodes.ImageBatch().batch(first, second)[0], ours(host, "ImageBatch", image1=first, image2=second)
    )
    assert torch.equal(nodes.ImageInvert().invert(first)[0], 1 - first)
    assert nodes.EmptyImage().generate(3, 2, 1, 0xFF8000)[0][0, 0, 0].tolist() == pytest.approx([1, 128 / 255, 0])


def test_values_enter_once_and_come_back_the_same(host: Host, loaded):
    assert enter(loaded.model) is enter(loaded.model)
