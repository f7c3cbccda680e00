"""How long one guided step of our UNet takes, beside diffusers' UNet with the same weights.

    python -m benchmarks.sampling [--shape sd15|miniature] [--pixels 256] [--repeats 7] [--threads N]

Both nets have the shapes of Stable Diffusion 1.5 (or of the embedded miniature) and hold the very same random weights;
both get the conditional and the unconditional pass as one batch of two. They take turns, so that whatever else the
machine does slows both alike. On a busy machine `cpu_ratio` with one thread is the number to trust: it counts
only the time spent in the step.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import Tensor, nn

from engine.models.unet import UNet
from engine.models.unet_config import UNetConfig
from engine.training import denoiser

PREFIX = "model.diffusion_model."
SHAPES = {
    "sd15": UNetConfig(),
    "miniature": denoiser.CONFIG,
}


def main() -> None:
    """Measure, check that both nets agree, and print the result as one line of JSON."""
    options = _options()
    torch.manual_seed(0)
    if options.threads:
        torch.set_num_threads(options.threads)
    dtype, device = getattr(torch, options.dtype), torch.device(options.device)
    ours, theirs = build_pair(SHAPES[options.shape], device, dtype)
    cells = options.pixels // 8
    x = torch.randn(2, 4, cells, cells).to(device, dtype)
    context = torch.randn(2, 77, ours.config.context_width).to(device, dtype)
    timesteps = torch.full((2,), 500.0, device=device)

    def step_ours() -> Tensor:
        return ours(x, timesteps, context)

    def step_theirs() -> Tensor:
        return theirs(x, timesteps, encoder_hidden_states=context).sample

    with torch.inference_mode():
        apart = (step_ours() - step_theirs()).abs().max().item()
        times = interleaved([step_ours, step_theirs], options.repeats)
    ours_s, theirs_s = (statistics.median(turn.wall for turn in turns) for turns in times)
    ours_cpu, theirs_cpu = (statistics.median(turn.cpu for turn in turns) for turns in times)
    result = {
        "shape": options.shape,
        "pixels": options.pixels,
        "dtype": options.dtype,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads",
        "ours_s": round(ours_s, 4),
        "diffusers_s": round(theirs_s, 4),
        "ratio": round(ours_s / theirs_s, 3),
        "cpu_ratio": round(ours_cpu / theirs_cpu, 3),
        "largest_difference": apart,
    }
    print(json.dumps(result))


@dataclass(frozen=True)
class Turn:
    """How long one step took, in seconds by the clock and in seconds of processor time."""

    wall: float
    cpu: float


def build_pair(config: UNetConfig, device: torch.device, dtype: torch.dtype) -> tuple[UNet, nn.Module]:
    """Our UNet and diffusers' of the same shape, holding the same tensors (not copies)."""
    ours = UNet(config).to(device, dtype).eval()
    widths = tuple(config.width(level) for level in range(len(config.res_blocks)))
    depths = config.input_depths[:: config.res_blocks[0]]
    with torch.device("meta"):
        theirs = UNet2DConditionModel(
            block_out_channels=widths,
            down_block_types=tuple("CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths),
            up_block_types=tuple("CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths)),
            attention_head_dim=config.heads,  # diffusers' name for their number
            cross_attention_dim=config.context_width,
        )
    checkpoint = {PREFIX + name: tensor for name, tensor in ours.state_dict().items()}
    theirs.load_state_dict(convert_ldm_unet_checkpoint(checkpoint, dict(theirs.config)), assign=True)
    return ours, theirs.eval()


def interleaved(steps: list[Callable[[], Tensor]], repeats: int) -> list[list[Turn]]:
    """Run the steps in turn, `repeats` times over, after a round to warm up.

    Returns: one list of turns per step.
    """
    turns: list[list[Turn]] = [[] for _ in steps]
    for repeat in range(repeats + 1):
        for i in range(len(steps)):
            # Alternate who goes first, so that neither always finds the caches of the other.
            which = (i + repeat) % len(steps)
            turn = _timed(steps[which])
            if repeat > 0:
                turns[which].append(turn)
    return turns


def _timed(step: Callable[[], Tensor]) -> Turn:
    wall, cpu = time.perf_counter(), time.process_time()
    if step().is_cuda:
        torch.cuda.synchronize()
    return Turn(time.perf_counter() - wall, time.process_time() - cpu)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shape", default="sd15", choices=list(SHAPES))
    parser.add_argument("--pixels", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="0 = as many as torch takes by itself")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
