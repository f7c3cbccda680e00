"""ComfyUI's package `comfy`: every sub-module is there after a bare `import comfy`, as its plugins expect.

What is not offered fails with a sentence that names it.
"""

import importlib
import importlib.util
import logging
from typing import Any

from compat.missing import missing

SUBMODULES = (
    "options",
    "cli_args",
    "comfy_types",
    "utils",
    "float",
    "rmsnorm",
    "ops",
    "nested_tensor",
    "patcher_extension",
    "conds",
    "latent_formats",
    "model_sampling",
    "hooks",
    "weight_adapter",
    "lora",
    "lora_convert",
    "model_management",
    "model_patcher",
    "ldm",
    "k_diffusion",
    "model_base",
    "supported_models_base",
    "supported_models",
    "model_detection",
    "clip_vision",
    "sd1_clip",
    "sdxl_clip",
    "sd3_clip",
    "text_encoders",
    "gligen",
    "cldm",
    "t2i_adapter",
    "controlnet",
    "taesd",
    "diffusers_convert",
    "diffusers_load",
    "sd",
    "sampler_helpers",
    "samplers",
    "sample",
    "extra_samplers",
    "context_windows",
    "checkpoint_pickle",
    "clip_model",
    "ldm.common_dit",
    "ldm.util",
    "ldm.models.autoencoder",
    "ldm.modules.attention",
    "ldm.modules.diffusionmodules.openaimodel",
    "ldm.modules.diffusionmodules.mmdit",
    "ldm.flux.layers",
    "ldm.flux.math",
    "ldm.flux.model",
    "ldm.lightricks.model",
    "ldm.lightricks.symmetric_patchifier",
    "ldm.cosmos.predict2",
    "ldm.wan.model",
    "ldm.qwen_image.model",
)


def _offered(name: str) -> bool:
    return importlib.util.find_spec(f"{__name__}.{name}") is not None


for _name in SUBMODULES:
    if _offered(_name):
        try:
            importlib.import_module(f"{__name__}.{_name}")
        except ImportError as error:  # the others are there all the same; whoever needs this one is told why it is not
            logging.getLogger(__name__).warning("comfy.%s is left out: %s", _name, error)


def __getattr__(name: str) -> Any:
    if not name.startswith("__") and _offered(name):
        return importlib.import_module(f"{__name__}.{name}")
    raise missing(__name__, name)
