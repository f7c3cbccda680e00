"""comfy.sd: loading from files and from tensors, LoRA files, saving; what we cannot load is refused by name."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from compat.crossing import enter, leave
from compat.host import Host
from engine.adapters import lora
from engine.errors import CheckpointError


@pytest.fixture
def sd(host: Host):
    import comfy.sd

    return comfy.sd


@pytest.fixture
def path(host: Host):
    return lambda kind, name="tiny.safetensors": str(host.folders.path(kind, name))


def test_a_checkpoint_is_a_tuple_of_four(sd, host, path):
    import comfy.model_patcher

    model, clip, vae, vision = sd.load_checkpoint_guess_config(path("checkpoints"), embedding_directory=[])
    assert isinstance(model, comfy.model_patcher.ModelPatcher)
    assert isinstance(clip, sd.CLIP)
    assert isinstance(vae, sd.VAE)
    assert vision is None
    ours = host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))
    assert torch.equal(clip.encode("a (red:1.2) cat"), ours.clip.encode("a (red:1.2) cat")[0])
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(vae.decode(latent), ours.vae.decode(latent))


def test_parts_not_asked_for_or_not_there_are_none(sd, path):
    found = sd.load_checkpoint_guess_config(path("checkpoints"), output_vae=False, output_clip=False)
    assert [each is None for each in found] == [False, True, True, True]
    model, clip, vae, _ = sd.load_checkpoint_guess_config(path("checkpoints", "unet_only.safetensors"))
    assert model is not None
    assert clip is None
    with pytest.raises(RuntimeError, match="VAE is invalid"):
        vae.throw_exception_if_invalid()


def test_tensors_that_were_read_already_are_a_checkpoint_too(sd, path):
    tensors = load_file(path("checkpoints"))
    clip = sd.load_state_dict_guess_config(tensors)[1]
    other = sd.load_checkpoint(ckpt_path=path("checkpoints"))[1]
    third = sd.load_checkpoint(state_dict=tensors)[1]
    assert torch.equal(clip.encode("a cat"), other.encode("a cat"))
    assert torch.equal(third.encode("a cat"), other.encode("a cat"))
    assert len(sd.load_checkpoint(ckpt_path=path("checkpoints"))) == 3


def test_a_number_format_may_be_asked_for(sd, path):
    options = {"dtype": torch.bfloat16}
    model, clip, _, _ = sd.load_checkpoint_guess_config(
        path("checkpoints"), model_options=options, te_model_options=options
    )
    assert model.model_dtype() == torch.bfloat16
    assert clip.cond_stage_model.clip_l.dtypes == {torch.bfloat16}
    assert clip.encode("a cat").dtype == torch.float32


def test_learned_words_come_from_the_folders_given(sd, path, tmp_path):
    save_file({"emb_params": torch.ones(2, 64)}, tmp_path / "word.safetensors")
    clip = sd.load_checkpoint_guess_config(path("checkpoints"), embedding_directory=[str(tmp_path)])[1]
    (chunk,) = clip.tokenize("(embedding:word:1.5) cat")["l"]
    assert torch.equal(chunk[1][0], torch.ones(64))
    assert chunk[2][1] == 1.5
    assert clip.tokenizer.clip_l.embedding_directory == [str(tmp_path)]
    assert clip.tokenizer.clip_l.embedding_identifier == "embedding:"


def test_a_denoiser_alone_is_a_model(sd, path):
    for model in (
        sd.load_diffusion_model(path("checkpoints", "unet_only.safetensors")),
        sd.load_diffusion_model_state_dict(load_file(path("checkpoints", "unet_only.safetensors"))),
        sd.load_unet(path("checkpoints", "unet_only.safetensors")),
        sd.load_unet_state_dict(load_file(path("checkpoints", "unet_only.safetensors"))),
    ):
        assert leave(model).family == "sd1"


def test_a_text_encoder_alone_is_a_clip(sd, path, tmp_path):
    whole = load_file(path("checkpoints"))
    prefix = "cond_stage_model.transformer."
    text = {name.removeprefix(prefix): each for name, each in whole.items() if name.startswith(prefix)}
    save_file(text, tmp_path / "clip.safetensors")
    expected = sd.load_checkpoint_guess_config(path("checkpoints"))[1].encode("a cat")
    clip = sd.load_clip([str(tmp_path / "clip.safetensors")], clip_type=sd.CLIPType.STABLE_DIFFUSION)
    assert torch.equal(clip.encode("a cat"), expected)
    assert torch.equal(sd.load_text_encoder_state_dicts([text]).encode("a cat"), expected)
    assert sd.detect_te_model(text) == sd.TEModel.CLIP_L


def test_text_encoders_of_other_families_are_refused_by_name(sd):
    t5 = {"encoder.block.0.layer.0.SelfAttention.k.weight": torch.zeros(4, 4)}
    with pytest.raises(CheckpointError, match="a T5 text encoder, which is not supported yet"):
        sd.load_text_encoder_state_dicts([t5], clip_type=sd.CLIPType.SD3)
    assert sd.t5xxl_detect([{"encoder.final_layer_norm.weight": torch.zeros(1).half()}]) == {"dtype_t5": torch.float16}


def test_the_kinds_of_text_encoders_have_their_numbers(sd):
    kinds = {"STABLE_DIFFUSION": 1, "SD3": 3, "FLUX": 6, "WAN": 13, "HUNYUAN_IMAGE": 19}
    assert {name: getattr(sd.CLIPType, name).value for name in kinds} == kinds
    assert getattr(sd.CLIPType, "nothing".upper(), sd.CLIPType.STABLE_DIFFUSION) is sd.CLIPType.STABLE_DIFFUSION


def test_a_lora_changes_clones_as_our_own_loader_does(sd, host, path):
    model, clip, _, _ = sd.load_checkpoint_guess_config(path("checkpoints"))
    tensors = load_file(path("loras"))
    plain = clip.encode("a cat")
    changed_model, changed = sd.load_lora_for_models(model, clip, tensors, 0.8, 0.6)
    ours = host.loader.checkpoint(host.folders.path("checkpoints", "tiny.safetensors"))
    _, expected = lora.apply(
        ours.model, ours.clip, host.loader.lora(host.folders.path("loras", "tiny.safetensors")), 0.8, 0.6
    )
    torch.testing.assert_close(changed.encode("a cat"), expected.encode("a cat")[0])
    assert torch.equal(clip.encode("a cat"), plain)
    assert not torch.equal(changed.encode("a cat"), plain)
    assert len(changed_model.patches) == 1
    assert len(model.patches) == 0
    assert sd.load_lora_for_models(None, clip, tensors, 1.0, 1.0)[0] is None
    assert sd.load_lora_for_models(model, None, tensors, 1.0, 1.0)[1] is None


def test_a_saved_checkpoint_has_its_patches_worked_in(sd, path, tmp_path):
    model, clip, vae, _ = sd.load_checkpoint_guess_config(path("checkpoints"))
    changed_model, changed = sd.load_lora_for_models(model, clip, load_file(path("loras")), 1.0, 1.0)
    target = tmp_path / "saved.safetensors"
    sd.save_checkpoint(str(target), changed_model, changed, vae, metadata={"made": "here"}, extra_keys={})
    again = sd.load_checkpoint_guess_config(str(target))[1]
    torch.testing.assert_close(again.encode("a cat"), changed.encode("a cat"), atol=2e-3, rtol=2e-3)


def test_style_models_take_a_module_of_the_plugins_own(sd):
    from types import SimpleNamespace

    seen = SimpleNamespace(last_hidden_state=torch.ones(1, 2, 3))
    assert torch.equal(sd.StyleModel(lambda x: x * 2).get_cond(seen), torch.full((1, 2, 3), 2.0))
    with pytest.raises(CheckpointError, match=r"a\.safetensors: cannot be read"):
        sd.load_style_model("/x/a.safetensors")


def test_names_it_does_not_have_are_named(sd):
    with pytest.raises(AttributeError, match=r"comfy\.sd\.load_controlnet"):
        _ = sd.load_controlnet


def test_clip_of_a_file_goes_over_our_wires(sd, path):
    clip = sd.load_checkpoint_guess_config(path("checkpoints"))[1]
    assert enter(leave(clip)) is clip
    assert torch.equal(leave(clip).encode("a cat")[0], clip.encode("a cat"))
