"""comfy.cli_args: every option there, as this process was started, and open to writing."""

from pathlib import Path

import pytest

from compat.host import Host, settle
from compat.install import furnish, install, services
from engine.settings import Settings
from latentwire import Engine

NAMES = [
    "listen",
    "port",
    "tls_keyfile",
    "tls_certfile",
    "enable_cors_header",
    "max_upload_size",
    "base_directory",
    "output_directory",
    "temp_directory",
    "input_directory",
    "user_directory",
    "extra_model_paths_config",
    "auto_launch",
    "disable_auto_launch",
    "cuda_device",
    "default_device",
    "cuda_malloc",
    "disable_cuda_malloc",
    "force_fp32",
    "force_fp16",
    "fp32_unet",
    "fp64_unet",
    "bf16_unet",
    "fp16_unet",
    "fp8_e4m3fn_unet",
    "fp8_e5m2_unet",
    "fp8_e8m0fnu_unet",
    "fp16_vae",
    "fp32_vae",
    "bf16_vae",
    "cpu_vae",
    "fp8_e4m3fn_text_enc",
    "fp8_e5m2_text_enc",
    "fp16_text_enc",
    "fp32_text_enc",
    "bf16_text_enc",
    "force_channels_last",
    "directml",
    "oneapi_device_selector",
    "disable_ipex_optimize",
    "supports_fp8_compute",
    "preview_method",
    "preview_size",
    "cache_classic",
    "cache_lru",
    "cache_none",
    "use_split_cross_attention",
    "use_quad_cross_attention",
    "use_pytorch_cross_attention",
    "use_sage_attention",
    "use_flash_attention",
    "disable_xformers",
    "force_upcast_attention",
    "dont_upcast_attention",
    "gpu_only",
    "highvram",
    "normalvram",
    "lowvram",
    "novram",
    "cpu",
    "reserve_vram",
    "async_offload",
    "force_non_blocking",
    "default_hashing_function",
    "disable_smart_memory",
    "deterministic",
    "fast",
    "mmap_torch_files",
    "disable_mmap",
    "dont_print_server",
    "quick_test_for_ci",
    "windows_standalone_build",
    "disable_metadata",
    "disable_all_custom_nodes",
    "whitelist_custom_nodes",
    "disable_api_nodes",
    "multi_user",
    "verbose",
    "log_stdout",
    "front_end_version",
    "front_end_root",
    "enable_compress_response_body",
    "comfy_api_base",
    "database_url",
]
"""The names that plugin_surface.md 5.1 lists, read off the enumeration here, not off the module."""


@pytest.fixture
def args(host: Host):
    from comfy.cli_args import args

    return args


def test_every_option_has_a_value(args):
    for name in NAMES:
        getattr(args, name)
    assert (args.listen, args.port, args.preview_size, args.verbose) == ("127.0.0.1", 8188, 512, "INFO")
    assert args.use_split_cross_attention is False
    assert args.whitelist_custom_nodes == []


def test_they_say_how_this_process_was_started(args, host: Host):
    assert args.cpu is True
    assert args.base_directory == str(host.folders.base)


def test_settings_appear_under_comfyuis_names(host: Host, tmp_path: Path):
    from comfy.cli_args import LatentPreviewMethod, args

    settings = Settings(
        base_directory=tmp_path,
        cpu=True,
        memory="gpu-only",
        unet_precision="bf16",
        precision="fp16",
        reserve_vram=3 << 29,
        preview_method="latent2rgb",
        disable_metadata=True,
        ignored=("use-sage-attention",),
    )
    engine = Engine(settings, services=services())
    furnish(install(engine))
    try:
        assert (args.gpu_only, args.bf16_unet, args.force_fp16, args.use_sage_attention) == (True,) * 4
        assert (args.highvram, args.force_fp32, args.fp16_unet) == (False,) * 3
        assert (args.reserve_vram, args.disable_metadata) == (1.5, True)
        assert args.preview_method is LatentPreviewMethod.Latent2RGB
    finally:
        engine.close()
        settle(host)


def test_what_a_plugin_writes_stays(args):
    from comfy.cli_args import LatentPreviewMethod

    args.preview_method = LatentPreviewMethod.TAESD
    args.fast.add("fp16_accumulation")
    args.disable_all_custom_nodes = True
    from comfy.cli_args import args as again

    assert (again.preview_method, again.disable_all_custom_nodes) == (LatentPreviewMethod.TAESD, True)
    assert again.fast == {"fp16_accumulation"}
    args.fast.discard("fp16_accumulation")


def test_an_unknown_option_is_named(args):
    with pytest.raises(AttributeError, match="no option 'no_such_option'"):
        _ = args.no_such_option
    assert not hasattr(args, "another")


def test_preview_methods_have_comfyuis_values(host: Host):
    from comfy.cli_args import LatentPreviewMethod

    assert {each.name: each.value for each in LatentPreviewMethod} == {
        "NoPreviews": "none",
        "Auto": "auto",
        "Latent2RGB": "latent2rgb",
        "TAESD": "taesd",
    }
