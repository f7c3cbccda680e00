"""What plugins use of k-diffusion's utils."""

from torch import Tensor


def append_dims(x: Tensor, target_dims: int) -> Tensor:
    """The same numbers with axes of length 1 added at the end.

    Raises: ValueError, when there are more axes already.
    """
    missing = target_dims - x.ndim
    if missing < 0:
        raise ValueError(f"a tensor of {x.ndim} axes cannot be brought to {target_dims}; axes are only added")
    return x[(...,) + (None,) * missing]


class FolderOfImages:
    """The endings of picture files, which is all that plugins read of k-diffusion's data set."""

    IMG_EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
