"""The text encoders of Flux, by name: T5 is not supported yet."""

from typing import Any

from compat.missing import missing
from compat.parts.unsupported import Unsupported, UnsupportedTokenizer

FAMILY = "Flux"


class FluxClipModel(Unsupported):
    """CLIP-L and T5-XXL together."""

    family = FAMILY


class FluxTokenizer(UnsupportedTokenizer):
    """Tokens for both."""

    family = FAMILY


def flux_clip(dtype_t5: Any = None, t5xxl_scaled_fp8: Any = None, **_: Any) -> type[FluxClipModel]:
    """The class of the encoders in a number format."""
    return type("FluxClipModel_", (FluxClipModel,), {"dtype_t5": dtype_t5, "t5xxl_scaled_fp8": t5xxl_scaled_fp8})


def __getattr__(name: str) -> Any:
    raise missing(__name__, name)
