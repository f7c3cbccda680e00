"""Art becomes a square: cut to what is seen, 90 % of the side, in the middle, without halos."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.training import drawing

DATA = Path(__file__).parents[2] / "data" / "icons"
BAR = '<rect x="2" y="10" width="12" height="4" fill="#ff0000"/>'


def test_a_bar_is_centred_and_its_long_side_fills_nine_tenths() -> None:
    square = drawing.centred(drawing.svg(BAR, 32, 32, 256), 100)
    solid = square[..., 3] > 128
    columns, rows = np.flatnonzero(solid.any(0)), np.flatnonzero(solid.any(1))
    assert square.shape == (100, 100, 4)
    assert len(columns) == 90
    assert len(rows) == pytest.approx(30, abs=1)
    assert columns[0] == pytest.approx(99 - columns[-1], abs=1)
    assert rows[0] == pytest.approx(99 - rows[-1], abs=1)


def test_edges_keep_the_colour_of_the_drawing() -> None:
    square = drawing.centred(drawing.svg('<circle cx="16" cy="16" r="15" fill="#ff0000"/>', 32, 32, 256), 100)
    seen = square[square[..., 3] > 40]
    assert (seen[:, 0] > 245).all()
    assert (seen[:, 1:3] < 10).all()


def test_current_colour_is_black() -> None:
    picture = np.asarray(drawing.svg('<rect width="32" height="32" fill="currentColor"/>', 32, 32, 64))
    assert (picture[..., :3] == 0).all()
    assert (picture[..., 3] == 255).all()


def test_gradients_and_references_are_drawn() -> None:
    body = (
        '<defs><linearGradient id="a"><stop stop-color="#00f"/><stop offset="1" stop-color="#f00"/></linearGradient>'
        '</defs><rect width="32" height="32" fill="url(#a)"/>'
    )
    picture = np.asarray(drawing.svg(body, 32, 32, 64)).astype(int)
    assert picture[32, 2, 2] > 200 > picture[32, 60, 2]
    assert picture[32, 60, 0] > 200 > picture[32, 2, 0]


def test_stored_pictures_keep_their_transparency() -> None:
    original = Image.new("RGBA", (16, 16), (0, 0, 255, 0))
    original.paste((0, 0, 255, 255), (4, 4, 12, 12))
    stream = io.BytesIO()
    original.save(stream, "WEBP", lossless=True)
    square = drawing.centred(drawing.webp(stream.getvalue()), 20)
    assert (square[..., 3] > 128).sum() == 18 * 18


def test_nothing_to_see_stays_nothing() -> None:
    assert drawing.centred(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 10).max() == 0


@pytest.mark.parametrize("name", ["fluentflat_1F34E", "fluentflat_1F98A", "noto_1F680", "twemoji_1F3E0"])
def test_icons_look_as_another_renderer_drew_them(name: str) -> None:
    body = json.loads((DATA / "bodies.json").read_text("utf-8"))[name]
    ours = drawing.centred(drawing.svg(body["body"], body["width"], body["height"], 256), 128)
    theirs = np.asarray(Image.open(DATA / f"{name}.webp").convert("RGBA"))
    apart = np.abs(_over_white(ours) - _over_white(theirs))
    assert apart.mean() < 4  # of 255; the other copy is webp at quality 90
    assert np.abs(_over_white(ours[::-1]) - _over_white(theirs)).mean() > 8


def _over_white(picture: np.ndarray) -> np.ndarray:
    colour, alpha = picture[..., :3].astype(float), picture[..., 3:].astype(float) / 255
    return colour * alpha + 255 * (1 - alpha)
