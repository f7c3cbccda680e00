"""Where the cameras of a scene were: read off learned camera tokens, or worked out from the rays of their pixels.

Cameras look along z, with x to the right and y down. Source: Lin et al. 2025, "Depth Anything 3", arXiv 2511.10647,
sec. 3.1, and its reference code (ByteDance, Apache-2.0).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

LEAST = 1e-6  # of half a field of view's tangent, and of weights in divisions
PARALLEL = 1e-4  # rays that go along the picture's plane this closely say nothing of it

TRIES = 100
SAMPLE = 8
SURE_SHARE = 0.3  # of the rays, the most certain, from which samples are drawn
TOLERANCE = 0.2  # of a ray's foot in a plane at distance 1
MOST_RAYS = 8000  # that the last fit counts on
"""Source: the reference's camray_to_caminfo."""


@dataclass(frozen=True)
class Cameras:
    """How points of the world come to the pixels of some views.

    Shapes: extrinsics [S, 3, 4], from the world to the camera; intrinsics [S, 3, 3], from there to pixels.
    """

    extrinsics: Tensor
    intrinsics: Tensor


class CameraDecoder(nn.Module):
    """A camera from its token: where it is, how it is turned, how wide it sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.fc_t = nn.Linear(width, 3)
        self.fc_qvec = nn.Linear(width, 4)
        self.fc_fov = nn.Sequential(nn.Linear(width, 2), nn.ReLU())

    def forward(self, tokens: Tensor, height: int, width: int) -> Cameras:
        """Shapes: tokens [S, D], of views of height · width pixels."""
        known = self.backbone(tokens)  # [S, D]
        turned = rotations(self.fc_qvec(known))  # [S, 3, 3]
        down, across = self.fc_fov(known).unbind(-1)  # [S]
        tangents = torch.stack([(across / 2).tan(), (down / 2).tan()], dim=-1).clamp(min=LEAST)  # [S, 2]
        sides = torch.tensor([width, height], device=tokens.device, dtype=tangents.dtype)
        return Cameras(inverse(turned, self.fc_t(known)), intrinsics(sides / 2 / tangents, sides / 2))


def rotations(quaternions: Tensor) -> Tensor:
    """Quaternions of any length, real part last, as matrices. Shapes: [S, 4] → [S, 3, 3]."""
    i, j, k, r = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = (
        torch.stack([1 - 2 * (j * j + k * k), 2 * (i * j - k * r), 2 * (i * k + j * r)], dim=-1),
        torch.stack([2 * (i * j + k * r), 1 - 2 * (i * i + k * k), 2 * (j * k - i * r)], dim=-1),
        torch.stack([2 * (i * k - j * r), 2 * (j * k + i * r), 1 - 2 * (i * i + j * j)], dim=-1),
    )
    return torch.stack(rows, dim=-2)


def inverse(turned: Tensor, at: Tensor) -> Tensor:
    """From the world to cameras that are turned so and are there. Shapes: [S, 3, 3], [S, 3] → [S, 3, 4]."""
    back = turned.mT
    return torch.cat([back, -back @ at.unsqueeze(-1)], dim=-1)


def intrinsics(focal: Tensor, middle: Tensor) -> Tensor:
    """Shapes: focal and middle [S, 2] or [2], across and down, in pixels. Returns: [S, 3, 3]."""
    made = torch.zeros(len(focal), 3, 3, device=focal.device, dtype=focal.dtype)
    made[:, 0, 0], made[:, 1, 1] = focal.unbind(-1)
    made[:, :2, 2] = middle
    made[:, 2, 2] = 1
    return made


def from_rays(rays: Tensor, confidence: Tensor, height: int, width: int) -> Cameras:
    """The cameras whose pixels these rays go through.

    A ray's direction is R K⁻¹ p for the place p of its pixel, so the best homography from places to directions holds
    the camera's rotation R and, in what a QR decomposition leaves of it, its K.
    Shapes: rays [S, h, w, 6], direction and origin; confidence [S, h, w]; of views of height · width pixels.
    Returns: cameras of NaN where rays are no numbers.
    """
    if not bool(rays.isfinite().all() and confidence.isfinite().all()):
        return Cameras(torch.full((len(rays), 3, 4), torch.nan), torch.full((len(rays), 3, 3), torch.nan))
    found = [_from_rays(*each) for each in zip(rays.cpu().double(), confidence.cpu().double(), strict=True)]
    turned, at, focal, middle = (torch.stack(each) for each in zip(*found, strict=True))
    half = torch.tensor([width, height], dtype=focal.dtype) / 2
    made = Cameras(inverse(turned, at), intrinsics(focal * half, (middle + 1) * half))
    return Cameras(made.extrinsics.float(), made.intrinsics.float())


def _from_rays(rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One camera: rotation, place, focal length and middle, those in halves of the picture's sides."""
    flat, sure = rays.flatten(0, 1), confidence.flatten()
    directions = flat[:, :3]
    sure = torch.where(directions[:, 2].abs() > PARALLEL, sure, torch.zeros_like(sure))
    feet = directions[:, :2] / torch.where(sure > 0, directions[:, 2], torch.ones_like(sure)).unsqueeze(-1)
    homography = robust_homography(grid(*rays.shape[:2]).to(rays), feet, sure)
    if homography.det() < 0:
        homography = -homography
    turned, upper = torch.linalg.qr(homography)
    signs = upper.diagonal().sign()
    turned, upper = turned * signs, upper * signs.unsqueeze(-1)
    upper = upper / upper[2, 2]
    focal = 1 / upper.diagonal()[:2]
    # K⁻¹ is [[1/f, 0, -m/f], [0, 1/g, -n/g], [0, 0, 1]]; what is beside it in row 0 is skew, which no camera here has.
    middle = -upper[:2, 2] * focal
    at = (flat[:, 3:] * sure.unsqueeze(-1)).sum(dim=0) / sure.sum().clamp(min=LEAST)
    return turned, at, focal, middle


def grid(rows: int, columns: int) -> Tensor:
    """The places of pixels' middles, across and down, in a picture from -1 to 1. Returns: [rows·columns, 2]."""
    down = (torch.arange(rows, dtype=torch.float64) * 2 + 1) / rows - 1
    across = (torch.arange(columns, dtype=torch.float64) * 2 + 1) / columns - 1
    return torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1).flatten(0, 1)


def robust_homography(places: Tensor, feet: Tensor, sure: Tensor) -> Tensor:
    """The homography from places to feet that most of the certain ones agree on. The same input gives the same answer.

    Shapes: places and feet [N, 2], sure [N]. Returns: [3, 3].
    Source: Fischler and Bolles 1981 (RANSAC).
    """
    dice = torch.Generator().manual_seed(0)
    candidates = sure.argsort(descending=True)[: max(SAMPLE, int(len(sure) * SURE_SHARE))]
    drawn = torch.stack([torch.randperm(len(candidates), generator=dice)[:SAMPLE] for _ in range(TRIES)])
    sampled = candidates[drawn.to(candidates.device)]
    tried = homography(places[sampled], feet[sampled], sure[sampled])  # [TRIES, 3, 3]
    led = torch.cat([places, torch.ones_like(places[:, :1])], dim=-1) @ tried.mT  # [TRIES, N, 3]
    is_near = (led[..., :2] / led[..., 2:] - feet).norm(dim=-1) < TOLERANCE
    agreeing = is_near[(is_near * sure).sum(dim=-1).argmax()].nonzero()[:, 0]
    if len(agreeing) < 4:
        agreeing = candidates
    if len(agreeing) > MOST_RAYS:
        agreeing = agreeing[torch.randperm(len(agreeing), generator=dice)[:MOST_RAYS].to(agreeing.device)]
    return homography(places[agreeing], feet[agreeing], sure[agreeing])


def homography(places: Tensor, feet: Tensor, sure: Tensor) -> Tensor:
    """The homography that takes places closest to feet, by least squares.

    Shapes: places and feet [..., N, 2], sure [..., N]. Returns: [..., 3, 3], its last number 1.
    Source: the direct linear transform, Hartley and Zisserman 2004, algorithm 4.1.
    """
    one = torch.cat([places, torch.ones_like(places[..., :1])], dim=-1) * sure.sqrt().unsqueeze(-1)
    none = torch.zeros_like(one)
    across = torch.cat([-one, none, one * feet[..., :1]], dim=-1)
    down = torch.cat([none, -one, one * feet[..., 1:]], dim=-1)
    rows = torch.cat([across, down], dim=-2)
    # The smallest eigenvector of 9×9 numbers, and not of as many rows as there are rays.
    found = torch.linalg.eigh(rows.mT @ rows).eigenvectors[..., 0].unflatten(-1, (3, 3))
    return found / found[..., 2:, 2:]
