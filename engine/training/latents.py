"""Pictures as latents: the autoencoder's scale is written into its weights once, then every scene is encoded once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.models.vae import AutoencoderKL
from engine.training.autoencoder import LATENT_SCALE
from engine.training.captions import Picture, Scene
from engine.training.compositions import draw


@torch.no_grad()
def standardise_(autoencoder: AutoencoderKL, pixels: Tensor) -> None:
    """Change the weights so that each latent channel of `pixels`, times 0.18215, has mean 0 and variance 1.

    The encoder's last convolution is scaled and shifted and the decoder's first one back, so that pictures come out
    as before and every tool that knows Stable Diffusion's constant is right.

    Shapes: pixels [B, 3, H, W]. Units: -1 … 1.
    """
    latents = torch.cat([autoencoder.encode(part) for part in pixels.split(32)]).float()
    mean = latents.mean(dim=(0, 2, 3))
    gain = 1 / (latents.std(dim=(0, 2, 3)) * LATENT_SCALE)
    weights = dict(autoencoder.named_parameters())
    inward, shift = weights["quant_conv.weight"], weights["quant_conv.bias"]
    outward, offset = weights["post_quant_conv.weight"], weights["post_quant_conv.bias"]
    channels = len(mean)
    inward[:channels] *= gain.view(-1, 1, 1, 1)
    shift[:channels] = (shift[:channels] - mean) * gain
    shift[channels:] += 2 * gain.log()
    offset.add_((outward[:, :, 0, 0] * mean).sum(dim=1))
    outward.div_(gain.view(1, -1, 1, 1))


@torch.no_grad()
def encode(
    autoencoder: AutoencoderKL, scenes: Sequence[Scene], layers: Tensor, side: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """The latents of all scenes; a picture that several scenes share is encoded once.

    Shapes: layers [N, 4, s, s].
    Returns: latents [P, 4, side / 8, side / 8] times 0.18215 in half precision, and each scene's row among them [S].
    """
    rows: dict[Picture, int] = {}
    for scene in scenes:
        rows.setdefault(scene.picture, len(rows))
    pictures = list(rows)
    latents = []
    for start in range(0, len(pictures), 64):
        pixels = torch.stack([draw(picture, layers, side) for picture in pictures[start : start + 64]]).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            latents.append((autoencoder.encode(pixels).float() * LATENT_SCALE).half().cpu())
    return torch.cat(latents), torch.tensor([rows[scene.picture] for scene in scenes])


@torch.no_grad()
def colours(autoencoder: AutoencoderKL, latents: Tensor) -> list[list[float]]:
    """How this autoencoder's latents look, for previews: the rows of LatentFormat.rgb_factors, and last of rgb_bias.

    A least-squares fit from a cell's channels to the mean colour of the picture there.

    Shapes: latents [B, C, h, w] times 0.18215. Returns: C + 1 rows of three. Units: colours of -1 … 1.
    """
    pixels = torch.cat([autoencoder.decode(part / LATENT_SCALE) for part in latents.float().split(16)])
    seen = torch.nn.functional.adaptive_avg_pool2d(pixels.float().clamp(-1, 1), (latents.shape[-2], latents.shape[-1]))
    cells = latents.float().movedim(1, -1).flatten(0, 2)
    known = torch.cat([cells, torch.ones_like(cells[:, :1])], dim=1)
    rows = torch.linalg.lstsq(known.cpu(), seen.movedim(1, -1).flatten(0, 2).cpu()).solution
    return [[round(value, 4) for value in row] for row in rows.tolist()]
