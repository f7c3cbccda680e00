"""Pictures given room, cut, turned and set side by side."""

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.errors import OutOfMemory
from engine.images import from_pil, to_pil
from engine.pictures import layout


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("rotation", "turn"),
    [
        ("none", None),
        ("90 degrees", Image.Transpose.ROTATE_270),  # Pillow counts the other way round
        ("180 degrees", Image.Transpose.ROTATE_180),
        ("270 degrees", Image.Transpose.ROTATE_90),
    ],
)
def test_pictures_are_turned_clockwise(rotation: str, turn: Image.Transpose | None) -> None:
    given = from_pil(to_pil(drawn(1, 5, 8, 3)[0]))
    wanted = given if turn is None else from_pil(to_pil(given[0]).transpose(turn))
    assert torch.equal(layout.turned(given, rotation, 1, 2), wanted)


def test_pictures_are_mirrored() -> None:
    given = drawn(2, 5, 8, 3)
    assert torch.equal(layout.flipped(given, "x-axis: vertically", 1, 2)[:, 0], given[:, -1])
    assert torch.equal(layout.flipped(given, "y-axis: horizontally", 1, 2)[:, :, 0], given[:, :, -1])


@pytest.mark.parametrize(
    ("x", "y", "size"), [(0, 0, (4, 3)), (6, 3, (2, 2)), (99, 99, (1, 1))], ids=["whole", "border", "outside"]
)
def test_a_crop_begins_inside_and_gets_smaller_at_the_borders(x: int, y: int, size: tuple[int, int]) -> None:
    assert layout.cropped(drawn(1, 5, 8, 3), 4, 3, x, y).shape == (1, size[1], size[0], 3)


def test_a_canvas_fades_into_the_picture_only_where_it_grew() -> None:
    canvas, mask = layout.outpainting_canvas(torch.ones(2, 64, 64, 3), 8, 0, 0, 16, 10)
    assert canvas.shape == (2, 80, 72, 3)
    assert canvas[:, :64, 8:].unique().tolist() == [1.0]
    assert canvas[:, 64:].unique().tolist() == [0.5]
    assert mask.shape == (1, 80, 72)
    assert mask[0, 64:].unique().tolist() == [1.0]
    column = mask[0, 20, 8:18]  # ((10 - d) / 10)² at distance d = 0, 1, … from the left edge
    assert torch.allclose(column, ((10 - torch.arange(10.0)) / 10) ** 2)
    assert mask[0, 0, 40] == 0  # nothing was added at the top
    assert mask[0, 63, 40] == pytest.approx(0.81)  # one from the bottom, as h - i counts
    assert not layout.outpainting_canvas(torch.ones(1, 64, 64, 3), 8, 0, 0, 0, 32)[1][:, :, 8:].any()


def test_a_canvas_larger_than_memory_is_refused() -> None:
    with pytest.raises(OutOfMemory, match="ask for smaller"):
        layout.outpainting_canvas(torch.zeros(64, 1, 1, 3), 16384, 16384, 16384, 16384, 0)


def test_padding_keeps_proportions_in_the_middle() -> None:
    made = layout.padded_to_fit(torch.full((1, 10, 20, 3), 0.5), 40, 40, "white", "area")
    assert made.shape == (1, 40, 40, 3)
    assert made[:, 10:30].unique().tolist() == [0.5]
    assert made[:, :10].unique().tolist() == made[:, 30:].unique().tolist() == [1.0]


@pytest.mark.parametrize("direction", layout.DIRECTIONS)
def test_pictures_are_stitched_where_the_direction_says(direction: str) -> None:
    first, second = torch.zeros(1, 4, 6, 3), torch.ones(1, 4, 6, 3)
    made = layout.stitched(first, second, direction, True, 0, "white")
    where = {"right": made[0, 0, -1], "down": made[0, -1, 0], "left": made[0, 0, 0], "up": made[0, 0, 0]}
    assert where[direction].tolist() == [1, 1, 1]
    assert made.shape[1:3] == ((4, 12) if direction in ("right", "left") else (8, 6))


def test_a_space_between_is_even_and_has_its_colour() -> None:
    made = layout.stitched(torch.zeros(1, 4, 4, 3), torch.zeros(1, 4, 4, 3), "right", True, 3, "red")
    assert made.shape == (1, 4, 12, 3)
    assert made[0, :, 4:8].reshape(-1, 3).unique(dim=0).tolist() == [[1, 0, 0]]


def test_the_second_picture_is_brought_to_the_side_they_share() -> None:
    given = layout.stitched(torch.zeros(1, 8, 8, 3), torch.ones(1, 4, 6, 3), "right", True, 0, "white")
    assert given.shape == (1, 8, 8 + 12, 3)
    given = layout.stitched(torch.zeros(1, 8, 8, 3), torch.ones(1, 4, 6, 3), "down", True, 0, "white")
    assert given.shape == (1, 8 + 5, 8, 3)  # int(8 · 4 / 6)


@pytest.mark.parametrize(("colour", "value"), [("white", 1.0), ("black", 0.0), ("red", 0.0)])
def test_without_matching_the_smaller_one_is_centred(colour: str, value: float) -> None:
    made = layout.stitched(torch.full((1, 7, 2, 3), 0.5), torch.full((1, 4, 2, 3), 0.5), "right", False, 0, colour)
    assert made.shape == (1, 7, 4, 3)
    assert made[0, 1:5, 2:].unique().tolist() == [0.5]  # one row above and two below
    assert made[0, 0, 2:].unique().tolist() == made[0, 5:, 2:].unique().tolist() == [value]


def test_the_last_picture_and_opaque_alpha_fill_up_what_is_missing() -> None:
    first, second = drawn(3, 4, 4, 3), drawn(2, 4, 4, 4, seed=1)
    made = layout.stitched(first, second, "right", False, 2, "green")
    assert made.shape == (3, 4, 10, 4)
    assert torch.equal(made[2, :, 6:], second[1])
    assert (made[:, :, :4, 3] == 1).all()
    assert made[0, 0, 4].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [((500, 500), (1024, 1024)), ((1920, 1080), (1392, 752)), ((1, 9), (672, 1568)), ((9, 1), (1568, 672))],
)
def test_the_size_for_kontext_is_nearest_in_proportions(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert layout.kontext_size(*size) == wanted
    assert all(width % 16 == 0 and 0.98 < width * height / 1024**2 < 1.02 for width, height in layout.KONTEXT_SIZES)
