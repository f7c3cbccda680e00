"""Pictures as tensors: against ComfyUI's numbers, closed forms and Pillow."""

import io
import math
import struct
import zlib
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from engine import images
from engine.errors import ImageError, OutOfMemory

GOLDENS = Path(__file__).parents[1] / "goldens" / "images.safetensors"


@pytest.fixture(scope="module")
def goldens() -> dict[str, Tensor]:
    return load_file(GOLDENS)


def gradient(height: int = 12, width: int = 20, channels: int = 3) -> Tensor:
    values = torch.linspace(0, 1, height * width * channels)
    return values.reshape(1, height, width, channels)


# resizing


@pytest.mark.parametrize("method", images.METHODS)
def test_pictures_are_scaled_and_cropped_as_comfyui_does(method: str, goldens: dict[str, Tensor]) -> None:
    scaled = images.resize_image(goldens["pixels"], 40, 56, method, "center")
    assert torch.allclose(scaled, goldens[f"image_scale.{method}"], atol=1e-6)


@pytest.mark.parametrize("method", images.LATENT_METHODS)
def test_latents_are_scaled_as_comfyui_does(method: str, goldens: dict[str, Tensor]) -> None:
    scaled = images.resize(goldens["latent.euler"], 12, 10, method)
    assert torch.allclose(scaled, goldens[f"latent_upscale.{method}"], rtol=1e-4, atol=1e-3)  # std is about 150


def test_slerp_of_orthogonal_vectors_goes_along_the_circle() -> None:
    a, b = torch.tensor([2.0, 0.0])[None, :, None, None], torch.tensor([0.0, 4.0])[None, :, None, None]
    turned = images.slerp(a, b, torch.tensor(1 / 3))
    length = 2 * 2 / 3 + 4 / 3
    expected = torch.tensor([length * math.cos(math.pi / 6), length * math.sin(math.pi / 6)])
    assert torch.allclose(turned.flatten(), expected)


def test_slerp_of_parallel_and_opposite_vectors_has_an_answer() -> None:
    a = torch.tensor([1.0, 1.0])[None, :, None, None]
    assert torch.equal(images.slerp(a, 3 * a, torch.tensor(0.5)), a)
    assert torch.allclose(images.slerp(a, -a, torch.tensor(0.25)), a * 0.5)


def test_a_zero_vector_does_not_turn_into_nan() -> None:
    zeros = torch.zeros(1, 4, 3, 3)
    assert torch.equal(images.resize(zeros, 7, 5, "bislerp"), torch.zeros(1, 4, 5, 7))


def test_cropping_to_a_multiple_keeps_the_centre() -> None:
    x = torch.arange(21.0).expand(1, 19, 21)
    assert images.crop_to_multiple(x, 8).shape == (1, 16, 16)
    assert images.crop_to_multiple(x, 8)[0, 0].tolist() == list(map(float, range(2, 18)))


def test_frames_of_a_video_latent_are_scaled_one_by_one() -> None:
    video = torch.rand(2, 4, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    scaled = images.resize(video, 12, 9, "bilinear")
    assert scaled.shape == (2, 4, 3, 9, 12)
    assert torch.equal(scaled[1, :, 2], images.resize(video[1:, :, 2], 12, 9, "bilinear")[0])


def test_lanczos_keeps_grey_and_rgba() -> None:
    for channels in (1, 3, 4):
        x = torch.full((2, channels, 8, 8), 0.5)
        scaled = images.resize(x, 4, 4, "lanczos")  # Pillow multiplies by alpha and back, so one step may be lost
        assert torch.allclose(scaled, torch.full((2, channels, 4, 4), 127 / 255), atol=1.01 / 255)


@pytest.mark.parametrize(("width", "height", "side"), [(0, 8, 8), (8, -1, 8), (8, 8, 0)])
def test_nothing_can_be_resized_to_or_from_nothing(width: int, height: int, side: int) -> None:
    with pytest.raises(ImageError, match="every side must be at least 1"):
        images.resize(torch.zeros(1, 3, side, 8), width, height, "bilinear")


def test_an_unknown_method_is_named_with_those_that_exist() -> None:
    with pytest.raises(ImageError, match=r"'magic'.*bislerp"):
        images.resize(torch.zeros(1, 3, 8, 8), 4, 4, "magic")


def test_a_picture_larger_than_memory_is_refused_before_it_is_begun() -> None:
    with pytest.raises(OutOfMemory, match=r"4096×3×\d+×\d+ numbers need .* are free on cpu"):
        images.resize(torch.zeros(4096, 3, 1, 1), 2**20, 2**20, "bilinear")
    images.need_room((1, 3, 64, 64))


# 8 bits


def test_bytes_are_rounded_down_and_nan_is_black() -> None:
    values = torch.tensor([0.0, 0.999, 1.0, 1.7, -0.3, float("nan"), float("inf")])
    assert images.to_uint8(values).tolist() == [0, 254, 255, 255, 0, 0, 255]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_survives_the_way_to_pillow_and_back(channels: int, mode: str) -> None:
    image = torch.randint(0, 256, (1, 5, 7, channels), generator=torch.Generator().manual_seed(1)) / 255
    picture = images.to_pil(image[0])
    assert picture.mode == mode
    assert torch.equal(images.from_pil(picture), image)


@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 7), (0, 5, 3)])
def test_what_is_no_picture_does_not_become_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="Expected a picture"):
        images.to_pil(torch.zeros(shape))


# files


def test_an_rgb_file_has_an_empty_mask_of_64_by_64(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20), (255, 51, 0)).save(path)
    frames = images.read_frames(path)
    assert frames.images.shape == (1, 20, 30, 3)
    assert frames.images[0, 3, 4].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert torch.equal(frames.masks, torch.zeros(1, 64, 64))


def test_alpha_becomes_a_mask_that_is_one_where_transparent(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGBA", (6, 4), (10, 20, 30, 51)).save(path)
    assert torch.allclose(images.read_frames(path).masks, torch.full((1, 4, 6), 0.8))
    assert torch.allclose(images.read_channel(path, "alpha"), torch.full((1, 4, 6), 0.8))
    assert torch.allclose(images.read_channel(path, "green"), torch.full((1, 4, 6), 20 / 255))


def test_a_palette_with_transparency_has_a_mask(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 2), 1)
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "a.png", transparency=0)
    masks = images.read_frames(tmp_path / "a.png").masks
    assert masks.shape == (1, 2, 4)
    assert masks[0, 0].tolist() == [1, 0, 0, 0]


def test_an_opaque_file_has_nothing_selected_by_alpha(tmp_path: Path) -> None:
    Image.new("RGB", (6, 4), (10, 20, 30)).save(tmp_path / "a.png")
    assert torch.equal(images.read_channel(tmp_path / "a.png", "alpha"), torch.zeros(1, 4, 6))


def test_exif_turns_the_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 4), "black")
    picture.paste((255, 255, 255), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise
    picture.save(tmp_path / "a.png", exif=exif)
    image = images.read_frames(tmp_path / "a.png").images
    assert image.shape == (1, 8, 4, 3)
    assert image[0, :4].min() == 1
    assert image[0, 4:].max() == 0
    assert images.read_channel(tmp_path / "a.png", "red").shape == (1, 8, 4)


def test_all_frames_are_read_but_those_of_another_size(tmp_path: Path) -> None:
    pages = [Image.new("RGB", size, colour) for size, colour in [((4, 4), "red"), ((5, 4), "lime"), ((4, 4), "blue")]]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    frames = images.read_frames(tmp_path / "a.tiff")
    assert frames.images[:, 0, 0].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert frames.masks.shape == (2, 64, 64)


def test_frames_with_and_without_transparency_get_masks_of_one_size(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGBA", (4, 4), (0, 0, 255, 0))
    first.save(tmp_path / "a.tiff", save_all=True, append_images=[second])
    assert images.read_frames(tmp_path / "a.tiff").masks.mean(dim=(1, 2)).tolist() == [0, 1]


def test_of_an_mpo_only_the_first_picture_is_taken(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "white"), Image.new("RGB", (8, 8), "black")
    first.save(tmp_path / "a.mpo", save_all=True, append_images=[second])
    frames = images.read_frames(tmp_path / "a.mpo").images
    assert frames.shape == (1, 8, 8, 3)
    assert frames.min() == 1


def test_sixteen_bit_grey_is_scaled_to_eight(tmp_path: Path) -> None:
    Image.fromarray(numpy.full((4, 4), 128 * 255, dtype=numpy.uint16)).save(tmp_path / "a.png")
    assert torch.allclose(images.read_frames(tmp_path / "a.png").images, torch.full((1, 4, 4, 3), 128 / 255))
    assert torch.allclose(images.read_channel(tmp_path / "a.png", "blue"), torch.full((1, 4, 4), 128 / 255))


# bad files


def test_a_text_file_is_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(ImageError, match=r"a\.png: not a picture \(it starts with b'hello'\)"):
        images.read_frames(tmp_path / "a.png")


def test_an_empty_file_is_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageError, match="the file is empty"):
        images.read_frames(tmp_path / "a.png")


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png: there is no such file"):
        images.read_frames(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match=r"folder\.png"):
        images.read_frames(tmp_path / "folder.png")


def test_of_a_truncated_picture_the_rest_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(2))
    buffer = io.BytesIO()
    images.to_pil(noise[0]).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    loaded = images.read_frames(tmp_path / "a.png").images
    assert torch.allclose(loaded[0, :20], noise[0, :20], atol=1 / 255)
    assert loaded[0, 50:].max() == 0
    assert "a.png" in caplog.text


def test_a_picture_cut_off_in_its_header_is_an_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue()[:20])
    with pytest.raises(ImageError, match=r"a\.png"):
        images.read_frames(tmp_path / "a.png")


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it is that large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "limit"),
    [(60_000, 2, "16384"), (60_000, 60_000, "178,956,970"), (16_000, 12_000, "178,956,970")],
)
def test_a_too_large_picture_is_refused_before_it_is_decoded(
    tmp_path: Path, width: int, height: int, limit: str
) -> None:
    (tmp_path / "a.png").write_bytes(png_claiming(width, height))
    with pytest.raises(ImageError, match=limit):
        images.read_frames(tmp_path / "a.png")


def test_an_animation_that_does_not_fit_in_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [Image.new("RGB", (10, 10), (i, i, i)) for i in range(5)]
    pages[0].save(tmp_path / "a.tiff", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(images, "MAX_FRAME_PIXELS", 300)
    with pytest.raises(ImageError, match="more than 3 frames of 10×10"):
        images.read_frames(tmp_path / "a.tiff")


def test_a_format_that_would_start_another_program_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    with pytest.raises(ImageError, match="EPS"):
        images.read_frames(tmp_path / "a.eps")
