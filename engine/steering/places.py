"""What tools need to know of a model's network before they can act on it."""

from torch import nn

from engine.errors import SamplingError


def unet_width(network: nn.Module, tool: str) -> int:
    """The channels of a UNet's first layer, of which all others are multiples. Raises: SamplingError, for no UNet."""
    # A plugin's own UNet has no configuration of ours, but says its width.
    width = getattr(getattr(network, "config", network), "model_channels", None)
    if not isinstance(width, int):
        raise SamplingError(
            f"{tool} changes a UNet (Stable Diffusion 1, 2, XL), but this model's network is a "
            f"{type(network).__name__}; leave the node out"
        )
    return width


def middle_layers(network: nn.Module, tool: str) -> int:
    """How many layers of attention a UNet has in its middle block. Raises: SamplingError, where it has none."""
    unet_width(network, tool)
    middle = getattr(network, "middle_block", None)
    found = [] if middle is None else [each for each in middle if hasattr(each, "transformer_blocks")]
    if not found:
        raise SamplingError(
            f"{tool} works on the attention in a UNet's middle block, but this model's has none (a distilled model); "
            "leave the node out"
        )
    return len(found[0].transformer_blocks)
