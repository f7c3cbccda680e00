"""UniPC under ComfyUI's names, over engine/sampling/samplers/uni_pc.py."""

from typing import Any

from torch import Tensor

from compat.sampling.walks import Callback, Model, Outing
from engine.sampling.samplers.uni_pc import uni_pc


def sample_unipc(
    model: Model,
    noise: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = False,
    variant: str = "bh1",
) -> Tensor:
    """UniPC; `variant` is the paper's B(h), "bh1" or "bh2".

    Shapes: noise [B, …], the noised latent to start from.
    """
    return Outing(model, noise, sigmas, extra_args, callback).walked(uni_pc, variant=variant)


def sample_unipc_bh2(
    model: Model,
    noise: Tensor,
    sigmas: Tensor,
    extra_args: dict[str, Any] | None = None,
    callback: Callback | None = None,
    disable: bool | None = False,
) -> Tensor:
    """UniPC with B(h) = eʰ − 1."""
    return sample_unipc(model, noise, sigmas, extra_args, callback, disable, variant="bh2")
