"""Which files of models/ipadapter and models/clip_vision a preset means: found by the names they are published under.

Source: the tables in the documentation of ComfyUI_IPAdapter_plus and of huggingface.co/h94/IP-Adapter.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from engine.errors import PathError, SamplingError

PRESETS = (
    "LIGHT - SD1.5 only (low strength)",
    "STANDARD (medium strength)",
    "VIT-G (medium strength)",
    "PLUS (high strength)",
    "PLUS FACE (portraits)",
    "FULL FACE - SD1.5 only (portraits stronger)",
)

_LIGHT, _STANDARD, _VIT_G, _PLUS, _PLUS_FACE, _FULL_FACE = PRESETS

_ADAPTERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "sd1": {
        _LIGHT: ("ip-adapter_sd15_light_v11", "ip-adapter_sd15_light"),
        _STANDARD: ("ip-adapter_sd15",),
        _VIT_G: ("ip-adapter_sd15_vit-G",),
        _PLUS: ("ip-adapter-plus_sd15",),
        _PLUS_FACE: ("ip-adapter-plus-face_sd15",),
        _FULL_FACE: ("ip-adapter-full-face_sd15",),
    },
    "sdxl": {
        _STANDARD: ("ip-adapter_sdxl_vit-h",),
        _VIT_G: ("ip-adapter_sdxl",),
        _PLUS: ("ip-adapter-plus_sdxl_vit-h",),
        _PLUS_FACE: ("ip-adapter-plus-face_sdxl_vit-h",),
    },
}
"""Family -> preset -> names without their suffix, the better one first."""

_EYES = {
    "ViT-H": ("CLIP-ViT-H-14-laion2B-s32B-b79K", r"vit[-_.]?h[-_.]?14|image_encoder_sd15|sd15[-_.]image[-_.]encoder"),
    "ViT-bigG": ("CLIP-ViT-bigG-14-laion2B-39B-b160k", r"vit[-_.]?(big)?g[-_.]?14|image_encoder_sdxl|sdxl[-_.]image"),
}
"""Which eyes -> the name they are published under, and what other names of theirs look like."""


def adapter(names: Sequence[str], preset: str, family: str) -> str:
    """The adapter of a preset for a family, out of the names in the folder.

    Raises: SamplingError, when there is none for the family; PathError, when it is not in the folder.
    """
    wanted = _ADAPTERS.get("sdxl" if family.startswith("sdxl") else family, {}).get(preset)
    if wanted is None:
        families = " and ".join(each for each, presets in _ADAPTERS.items() if preset in presets)
        raise SamplingError(
            f"there is no IP-Adapter {preset!r} for this model ({family}), only for {families or 'none'}"
        )
    for stem in wanted:
        found = next((name for name in names if PurePosixPath(name).stem.lower() == stem.lower()), None)
        if found is not None:
            return found
    raise PathError(f"no {wanted[0]}.safetensors (or .bin) in models/ipadapter, which {preset!r} needs; put it there")


def eyes(names: Sequence[str], preset: str) -> str:
    """The CLIP vision model that goes with a preset, out of the names in the folder. Raises: PathError."""
    kind = "ViT-bigG" if preset == _VIT_G else "ViT-H"
    published, looks = _EYES[kind]
    stems = {name: PurePosixPath(name).stem for name in names}
    exact = [name for name, stem in stems.items() if stem.lower() == published.lower()]
    alike = [name for name, stem in stems.items() if re.search(looks, stem, re.IGNORECASE)]
    found = next(iter([*exact, *alike]), None)
    if found is None:
        raise PathError(f"no {published}.safetensors in models/clip_vision, which {preset!r} needs; put it there")
    return found
