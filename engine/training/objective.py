"""What each phase minimises."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, mse_loss

SSIM_C1 = 0.01**2  # Wang et al. 2004, for pictures in 0 … 1.
SSIM_C2 = 0.03**2


def reconstruction(drawn: Tensor, wanted: Tensor) -> Tensor:
    """How far a drawn picture is from the wanted one: colour (L1), outlines (L1 of gradients) and structure (SSIM).

    Shapes: both [B, 3, H, W].
    Units: pixels -1 … 1.
    """
    drawn, wanted = drawn.float(), wanted.float()
    colour = (drawn - wanted).abs().mean()
    outline = sum((_slope(drawn, axis) - _slope(wanted, axis)).abs().mean() for axis in (-1, -2))
    structure = 1 - ssim(drawn / 2 + 0.5, wanted / 2 + 0.5)
    return colour + outline + 0.25 * structure


def ssim(a: Tensor, b: Tensor, window: int = 7) -> Tensor:
    """Structural similarity, 1 for equal pictures, with a square window.

    Shapes: both [B, C, H, W].
    Units: pixels 0 … 1.
    Source: Wang et al. 2004, "Image quality assessment", eq. 13.
    """
    mean_a, mean_b = (avg_pool2d(x, window, 1) for x in (a, b))
    var_a = avg_pool2d(a * a, window, 1) - mean_a**2
    var_b = avg_pool2d(b * b, window, 1) - mean_b**2
    covariance = avg_pool2d(a * b, window, 1) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    contrast = (2 * covariance + SSIM_C2) / (var_a + var_b + SSIM_C2)
    return (luminance * contrast).mean()


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence of a diagonal Gaussian from the standard one, summed over each latent, mean over the batch.

    Source: Kingma and Welling 2014, arXiv 1312.6114, appendix B.
    """
    mean, logvar = mean.float(), logvar.float()
    return 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(dim=(1, 2, 3)).mean()


def contrast(texts: Tensor, pictures: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Each text should point at its own picture more than at any other, and the other way round.

    `same` marks pairs that show the same thing; their probability is shared instead of held against each other.

    Shapes: texts and pictures [B, D] of length one; scale scalar; same [B, B] boolean.
    Source: Radford et al. 2021, arXiv 2103.00020, figure 3.
    """
    logits = scale * texts.float() @ pictures.float().T
    wanted = same.float() / same.float().sum(dim=1, keepdim=True)
    return (cross_entropy(logits, wanted) + cross_entropy(logits.T, wanted)) / 2


def min_snr_weights(alphas_cumprod: Tensor, gamma: float = 5.0) -> Tensor:
    """Weights of the noise-prediction error at each timestep, so that easy steps do not crowd out hard ones.

    Source: Hang et al. 2023, arXiv 2303.09556, eq. 7 for eps-prediction: min(SNR, gamma) / SNR.
    """
    snr = alphas_cumprod / (1 - alphas_cumprod)
    return snr.clamp(max=gamma) / snr


def noise_error(predicted: Tensor, noise: Tensor) -> Tensor:
    """Mean squared error of the predicted noise for each sample.

    Shapes: both [B, C, h, w].
    Returns: [B].
    """
    return mse_loss(predicted.float(), noise.float(), reduction="none").mean(dim=(1, 2, 3))


def _slope(x: Tensor, axis: int) -> Tensor:
    return torch.diff(x, dim=axis)
