"""What plugins do with the models, configurations, encoders and nodes they are given, where no other test does it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from compat.host import Host
from engine.errors import LatentwireError
from tests.compat.surface.members import Found


@pytest.fixture
def found(host: Host) -> Found:
    return Found(host)


@pytest.fixture
def model(found: Found) -> Any:
    return found.object_member("MODEL")


def weights(host: Host) -> dict[str, Tensor]:
    return load_file(host.folders.path("checkpoints", "tiny.safetensors"))


def test_a_model_is_saved_in_the_layout_it_was_read_from(host: Host, model: Any) -> None:
    saved = model.model.state_dict_for_saving()
    prefix = "model.diffusion_model."
    expected = {name: tensor for name, tensor in weights(host).items() if name.startswith(prefix)}
    assert saved.keys() == expected.keys()
    assert all(torch.allclose(saved[name].float(), expected[name].float()) for name in expected)
    assert "first.weight" in model.model.state_dict_for_saving(vae_state_dict={"x": torch.ones(1)}) or (
        "first_stage_model.x" in model.model.state_dict_for_saving(vae_state_dict={"x": torch.ones(1)})
    )


def test_weights_of_another_file_are_loaded_and_taken_out_of_it(host: Host, model: Any) -> None:
    name = "input_blocks.0.0.bias"
    other = {"model.diffusion_model." + name: torch.full((32,), 7.0), "vae": torch.ones(1)}
    clone = model.model.model_config.get_model(weights(host), "model.diffusion_model.")
    clone.load_model_weights(other, "model.diffusion_model.")
    assert torch.equal(clone.diffusion_model.state_dict()[name].float(), torch.full((32,), 7.0))
    assert list(other) == ["vae"]


def test_what_a_model_needs_grows_with_its_factor(model: Any) -> None:
    before = model.memory_required((1, 4, 8, 8))
    usual = model.model.memory_usage_factor
    model.model.memory_usage_factor = usual * 3
    try:
        assert model.memory_required((1, 4, 8, 8)) == pytest.approx(3 * before)
    finally:
        model.model.memory_usage_factor = usual


def test_a_configuration_says_how_its_network_is_made(model: Any) -> None:
    import comfy.ops
    import comfy.supported_models

    config = model.model.model_config
    assert isinstance(config, comfy.supported_models.SD15)
    assert config.unet_config["model_channels"] == 32
    assert config.optimizations == {"fp8": False}
    assert config.scaled_fp8 is None
    assert torch.float32 in config.supported_inference_dtypes
    assert config.sampling_settings == {}
    assert config.latent_format.scale_factor == pytest.approx(0.18215)
    config.set_inference_dtype(torch.float16, torch.float32)
    assert config.unet_config["dtype"] is torch.float16
    assert config.manual_cast_dtype is torch.float32


def test_a_plugins_operations_make_the_network(host: Host, model: Any) -> None:
    import comfy.ops

    made: list[type] = []

    class Mine(comfy.ops.manual_cast):
        class Linear(comfy.ops.manual_cast.Linear):
            def __init__(self, *args: Any, **options: Any) -> None:
                made.append(type(self))
                super().__init__(*args, **options)

    config = model.model.model_config
    config.custom_operations = Mine
    try:
        network = config.get_model(weights(host), "model.diffusion_model.").diffusion_model
    finally:
        config.custom_operations = None
    linears = [each for each in network.modules() if isinstance(each, Mine.Linear)]
    assert linears
    assert len(made) == len(linears)


def test_a_network_can_be_walked_by_its_blocks(model: Any) -> None:
    network = model.model.diffusion_model
    blocks = [*network.input_blocks, network.middle_block, *network.output_blocks]
    names = {name.split(".")[0] for name, _ in network.named_modules() if name}
    assert {"input_blocks", "middle_block", "output_blocks", "time_embed", "out"} <= names
    parameters = sum(each.numel() for block in blocks for each in block.parameters())
    assert 0 < parameters < sum(each.numel() for each in network.parameters())
    assert network.to(torch.float32) is network


def test_the_autoencoder_inside_is_a_torch_module_of_the_family(found: Found) -> None:
    import comfy.ldm.models.autoencoder

    inside = found.object_member("VAE").first_stage_model
    assert isinstance(inside, comfy.ldm.models.autoencoder.AutoencoderKL)
    assert inside.to(torch.float32) is inside
    assert inside.decoder in list(inside.modules())
    held = {each.data_ptr() for each in inside.decoder.parameters()}
    assert held < {each.data_ptr() for each in inside.parameters()}


def test_the_tokenizer_inside_is_transformers(found: Found) -> None:
    tokenizer = found.object_member("tokenizer")
    ids = tokenizer("a heart")["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id) == (49406, 49407)
    assert tokenizer.pad_token_id is not None
    assert tokenizer.decode(ids[1:-1]).strip() == "a heart"
    assert tokenizer.sep_token_id is None
    with pytest.raises(ValueError, match="chat"):
        tokenizer.apply_chat_template([{"role": "user", "content": "a heart"}])


def test_rgb_factors_with_a_bias_make_the_preview(host: Host) -> None:
    import comfy.latent_formats
    import latent_preview
    from comfy.cli_args import LatentPreviewMethod, args

    class Mine(comfy.latent_formats.LatentFormat):
        latent_rgb_factors = [[0.0, 0.0, 0.0]] * 4
        latent_rgb_factors_bias = [1.0, -1.0, 0.0]

    before, args.preview_method = args.preview_method, LatentPreviewMethod.Latent2RGB
    try:
        previewer = latent_preview.get_previewer(torch.device("cpu"), Mine())
    finally:
        args.preview_method = before
    red, green, blue = previewer.decode_latent_to_preview(torch.zeros(1, 4, 8, 8)).getpixel((0, 0))
    assert (red, green) == (255, 0)
    assert 126 <= blue <= 128


def test_objects_put_in_place_are_kept_until_the_model_leaves(model: Any) -> None:

    clone = model.clone()
    mine = object()
    before = clone.model.latent_format
    clone.add_object_patch("latent_format", mine)
    clone.patch_model()
    assert clone.model.latent_format is mine
    assert clone.object_patches_backup["latent_format"] is before
    clone.unpatch_model()
    assert clone.model.latent_format is before
    assert clone.object_patches_backup == {}


def test_old_attributes_of_controls_hold_what_plugins_write(host: Host) -> None:
    import comfy.controlnet

    control = comfy.controlnet.ControlBase()
    control.control_input, control.control_weights = [torch.ones(1)], [0.5] * 13
    assert len(control.control_weights) == 13
    assert len(control.control_input) == 1
    adapter = comfy.controlnet.T2IAdapter(torch.nn.Identity(), 3, 8, "nearest-exact")
    assert adapter.channels_in == 3
    assert adapter.control_input is None


FAMILIES = ["SDXLRefiner", "SDXL_instructpix2pix", "SVD_img2vid", "SDXL", "BaseModel"]


def test_families_are_told_apart_by_isinstance(model: Any) -> None:
    import comfy.model_base

    of = {name: isinstance(model.model, getattr(comfy.model_base, name)) for name in FAMILIES}
    assert of == {**dict.fromkeys(FAMILIES, False), "BaseModel": True}
    assert model.model.model_type is comfy.model_base.ModelType.EPS
    assert comfy.model_base.ModelType.EPS not in (
        comfy.model_base.ModelType.V_PREDICTION,
        comfy.model_base.ModelType.FLOW,
        comfy.model_base.ModelType.FLUX,
    )
    assert issubclass(comfy.model_base.SDXL_instructpix2pix, comfy.model_base.SDXL)


def test_configurations_of_families_are_told_apart(model: Any) -> None:
    import comfy.supported_models as sm

    config = model.model.model_config
    assert not isinstance(config, (sm.SD20, sm.SDXL, sm.SD3, sm.Flux, sm.FluxSchnell))
    assert issubclass(sm.FluxSchnell, sm.Flux)
    assert all(issubclass(each, sm.supported_models_base.BASE) for each in (sm.SD15, sm.SD3, sm.FluxSchnell))


def test_options_are_cloned_and_replacements_set_in_the_copy() -> None:
    import comfy.model_patcher as mp

    mine: Callable[..., None] = lambda *args: None  # noqa: E731
    options = {"transformer_options": {"patches": {"a": [1]}}}
    copied = mp.create_model_options_clone(options)
    changed = mp.set_model_options_patch_replace(copied, mine, "attn2", "middle", 0)
    assert changed["transformer_options"]["patches_replace"]["attn2"] == {("middle", 0): mine}
    assert "patches_replace" not in options["transformer_options"]
    deeper = mp.set_model_options_patch_replace(changed, mine, "attn2", "input", 4, 1)
    assert deeper["transformer_options"]["patches_replace"]["attn2"][("input", 4, 1)] is mine


def test_what_a_patcher_has_is_read_off_it(model: Any) -> None:
    clone = model.clone()
    clone.add_object_patch("x", 1)
    assert clone.object_patches.copy() == {"x": 1}
    assert clone.load_device == model.load_device == torch.device("cpu")
    assert clone.offload_device == torch.device("cpu")
    assert clone.model_options.get("transformer_options") == {}
    assert clone.size == model.model_size()


def test_directories_are_plain_variables(host: Host) -> None:
    import folder_paths

    assert folder_paths.input_directory == folder_paths.get_input_directory() == str(host.folders.input)
    before = folder_paths.input_directory
    try:
        folder_paths.set_input_directory("/tmp/elsewhere")
        assert folder_paths.input_directory == folder_paths.get_input_directory() == "/tmp/elsewhere"
    finally:
        folder_paths.set_input_directory(before)


@pytest.mark.parametrize("id", ["IPAdapterAdvanced", "IPAdapterEmbeds", "LoraLoaderBlockWeight //Inspire"])
def test_nodes_of_other_packs_are_found_by_their_ids_once_they_are_loaded(host: Host, id: str) -> None:
    import nodes

    class Theirs:
        FUNCTION = "apply"

        def apply(self, weight: float) -> tuple[float]:
            return (weight * 2,)

    mappings: Any = nodes.NODE_CLASS_MAPPINGS  # type: ignore[attr-defined]  # furnished
    assert id not in mappings
    with pytest.raises(KeyError, match=id):
        mappings[id]
    mappings[id] = Theirs
    try:
        cls = nodes.NODE_CLASS_MAPPINGS[id]  # type: ignore[attr-defined]
        assert getattr(cls(), cls.FUNCTION)(weight=1.5) == (3.0,)
    finally:
        del mappings[id]


def test_v3_nodes_override_what_is_asked_before_they_run(host: Host) -> None:
    from comfy_api.latest import io

    class Mine(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> Any:
            names = io.Autogrow.TemplateNames(input=io.Int.Input("value"), names=["a", "b", "c"], min=2)
            inputs = [io.Int.Input("size", lazy=True), io.Autogrow.Input("more", template=names)]
            return io.Schema("Mine", inputs=inputs, outputs=[io.Int.Output()], is_output_node=True)

        @classmethod
        def validate_inputs(cls, size: int) -> bool | str:
            return True if size > 0 else "size: expected more than 0"

        @classmethod
        def fingerprint_inputs(cls, size: int, **more: Any) -> str:
            return f"of {size}"

        @classmethod
        def check_lazy_status(cls, size: int | None = None, **more: Any) -> list[str]:
            return ["size"] if size is None else []

        @classmethod
        def execute(cls, size: int, more: dict[str, int]) -> Any:
            return io.NodeOutput(size + sum(more.values()))

    from compat.v3.adapter import node_type
    from engine.graph.prompt import Prompt
    from engine.graph.validate import validate

    host.registry.put(node_type(Mine, "custom_nodes.test"))
    prompt = {"1": {"class_type": "Mine", "inputs": {"size": 0, "more.a": 2, "more.b": 3}}}
    refused = validate(Prompt.from_json(prompt), host.registry, targets=["1"])
    assert "expected more than 0" in repr(refused)
    prompt["1"]["inputs"]["size"] = 5  # type: ignore[index]
    outcome = host.engine.executor.execute(Prompt.from_json(prompt), targets=["1"])
    assert outcome.check().values["1"][0] == [10]


def test_flux_can_be_imported_asked_about_and_says_so_when_made(model: Any) -> None:
    from comfy.ldm.flux.model import Flux

    network = model.model.diffusion_model
    assert not isinstance(network, Flux)
    for name in ("double_blocks", "single_blocks", "transformer_blocks", "blocks", "encoder_hid_proj"):
        assert not hasattr(network, name)
    with pytest.raises(LatentwireError, match=r"comfy\.ldm\.flux\.model\.Flux: this program has no network"):
        Flux()


def test_text_encoders_of_other_families_are_not_there(found: Found) -> None:
    encoder = found.object_member("cond_stage_model")
    assert hasattr(encoder, "clip_l")
    assert getattr(encoder, "t5xxl", None) is None
