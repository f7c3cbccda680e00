"""ComfyUI's `comfy.cli_args`: the options this process was started with, as a namespace that plugins may write to.

What is written is seen by whoever reads `args` afterwards; `preview_method` and `disable_metadata` are among what
compat itself reads there, so they change what a running program does.
"""

import argparse
from collections.abc import Mapping
from enum import Enum
from typing import Any

from compat.host import host, is_installed
from engine.settings import Settings


class LatentPreviewMethod(Enum):
    """How a picture in the making is shown."""

    NoPreviews = "none"
    Auto = "auto"
    Latent2RGB = "latent2rgb"
    TAESD = "taesd"


class EnumAction(argparse.Action):
    """Reads one of an enum's values from a command line."""

    def __init__(self, **given: Any) -> None:
        self._enum: type[Enum] = given.pop("type")
        given.setdefault("choices", tuple(each.value for each in self._enum))
        super().__init__(**given)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        setattr(namespace, self.dest, self._enum(values))


_FLAGS = [
    "auto_launch",
    "disable_auto_launch",
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
    "disable_ipex_optimize",
    "supports_fp8_compute",
    "cache_classic",
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
    "async_offload",
    "force_non_blocking",
    "disable_smart_memory",
    "deterministic",
    "mmap_torch_files",
    "disable_mmap",
    "dont_print_server",
    "quick_test_for_ci",
    "windows_standalone_build",
    "disable_metadata",
    "disable_all_custom_nodes",
    "disable_api_nodes",
    "multi_user",
    "log_stdout",
    "enable_compress_response_body",
]

_NOTHING_SAID = [
    "tls_keyfile",
    "tls_certfile",
    "enable_cors_header",
    "base_directory",
    "output_directory",
    "temp_directory",
    "input_directory",
    "user_directory",
    "extra_model_paths_config",
    "cuda_device",
    "default_device",
    "directml",
    "oneapi_device_selector",
    "reserve_vram",
    "front_end_root",
]


def defaults() -> dict[str, Any]:
    """Every option as it is when nothing is said. Source: plugin_surface.md 5.1."""
    return {
        **dict.fromkeys(_FLAGS, False),
        **dict.fromkeys(_NOTHING_SAID),
        "listen": "127.0.0.1",
        "port": 8188,
        "max_upload_size": 100,
        "preview_method": LatentPreviewMethod.NoPreviews,
        "preview_size": 512,
        "cache_lru": 0,
        "default_hashing_function": "sha256",
        "fast": set(),
        "whitelist_custom_nodes": [],
        "verbose": "INFO",
        "front_end_version": "comfyanonymous/ComfyUI@latest",
        "comfy_api_base": "https://api.comfy.org",
        "database_url": "sqlite:///:memory:",
    }


def _said(settings: Settings) -> Mapping[str, Any]:
    """The options that the settings of this process differ in."""
    parts = {"unet": settings.unet_precision, "vae": settings.vae_precision, "text_enc": settings.text_precision}
    said = {
        **{name: _text(getattr(settings, name)) for name in _NOTHING_SAID if hasattr(settings, name)},
        "extra_model_paths_config": [str(each) for each in settings.extra_model_paths] or None,
        "reserve_vram": None if settings.reserve_vram is None else settings.reserve_vram / (1 << 30),
        "preview_method": LatentPreviewMethod(settings.preview_method),
        "preview_size": settings.preview_size,
        "verbose": settings.verbose,
        **{name: getattr(settings, name) for name in ("cpu", "cpu_vae", "cache_none", "deterministic")},
        "disable_metadata": settings.disable_metadata,
        settings.memory.replace("-", ""): True,
        f"force_{settings.precision}": True,
        **{f"{precision}_{part}": True for part, precision in parts.items()},
        f"{settings.unet_storage}_unet": True,
        f"{settings.text_storage}_text_enc": True,
        **{name.replace("-", "_"): True for name in settings.ignored},
    }
    said["gpu_only"] = said.pop("gpuonly", False)
    return {name: value for name, value in said.items() if name in defaults()}


def _text(value: object) -> object:
    return None if value is None else str(value)


class Arguments(argparse.Namespace):
    """The options. They are filled in when first looked at, from the process this is then."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "listen" in self.__dict__:
            raise AttributeError(f"comfy.cli_args.args has no option {name!r}")
        fill(self, host().settings if is_installed() else None)
        return getattr(self, name)


def fill(namespace: argparse.Namespace, settings: Settings | None) -> None:
    """Gives a namespace every option, those already written to it left as they are."""
    for name, value in {**defaults(), **(_said(settings) if settings else {})}.items():
        if name not in vars(namespace):
            setattr(namespace, name, value)


parser = argparse.ArgumentParser()
args = Arguments()
if is_installed():
    fill(args, host().settings)
