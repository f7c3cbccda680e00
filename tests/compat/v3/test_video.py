from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import LatentwireError


def moving(frames: int = 8) -> torch.Tensor:
    """A bright square that walks over grey."""
    images = torch.full((frames, 32, 48, 3), 0.4)
    for n in range(frames):
        images[n, 8:24, 4 * n : 4 * n + 16] = torch.tensor([0.9, 0.2, 0.1])
    return images


def video(audio: Any = None, **metadata: Any) -> Any:
    from comfy_api.latest import InputImpl, Types

    return InputImpl.VideoFromComponents(Types.VideoComponents(moving(), Fraction(12), audio, metadata or None))


def test_a_video_of_pictures_knows_its_measures(names: None) -> None:
    from comfy_api.latest import Input

    made = video()
    assert isinstance(made, Input.Video)
    assert made.get_dimensions() == (48, 32)
    assert made.get_duration() == pytest.approx(8 / 12)
    assert (made.get_frame_count(), made.get_frame_rate()) == (8, Fraction(12))
    assert torch.equal(made.get_components().images, moving())


def test_formats_are_offered_as_choices(names: None) -> None:
    from comfy_api.latest import Types
    from comfy_api.util import VideoCodec, VideoContainer

    assert (Types.VideoCodec, Types.VideoContainer) == (VideoCodec, VideoContainer)
    assert (VideoCodec.as_input(), VideoContainer.as_input()) == (["auto", "h264"], ["auto", "mp4"])
    assert VideoContainer.get_extension("auto") == VideoContainer.get_extension(VideoContainer.MP4) == "mp4"
    with pytest.raises(ValueError, match="avi"):
        VideoContainer.get_extension("avi")


def test_without_pyav_a_video_says_what_to_install(
    names: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from comfy_api.latest import InputImpl

    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(LatentwireError, match=r"writing a video needs the package PyAV; .*`pip install av`"):
        video().save_to(tmp_path / "a.mp4")
    with pytest.raises(LatentwireError, match=r"reading a video needs the package PyAV; .*`pip install av`"):
        InputImpl.VideoFromFile("a.mp4").get_components()


def test_a_video_comes_back_from_its_file(names: None, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from comfy_api.latest import InputImpl

    path = tmp_path / "a.mp4"
    time = torch.arange(32000) / 48000
    sound = torch.stack([torch.sin(2 * torch.pi * 440 * time), torch.zeros_like(time)]).unsqueeze(0) * 0.5
    video({"waveform": sound, "sample_rate": 48000}).save_to(path, metadata={"prompt": {"1": {}}})
    read = InputImpl.VideoFromFile(str(path))
    assert read.get_dimensions() == (48, 32)
    assert read.get_duration() == pytest.approx(8 / 12, abs=0.1)
    assert (read.get_frame_count(), read.get_frame_rate()) == (8, Fraction(12))
    assert "mp4" in read.get_container_format()
    parts = read.get_components()
    assert parts.images.shape == (8, 32, 48, 3)
    assert (parts.images - moving()).abs().mean() < 0.05  # H.264 halves colour and rounds
    assert parts.frame_rate == 12
    assert parts.metadata is not None
    assert parts.metadata["prompt"] == {"1": {}}
    assert parts.audio is not None
    assert (parts.audio["waveform"].shape[:2], parts.audio["sample_rate"]) == ((1, 2), 48000)
    left, right = parts.audio["waveform"][0, :, 8000:24000]
    assert left.std() == pytest.approx(0.5 / 2**0.5, abs=0.02)
    assert right.abs().max() < 0.02


def test_a_video_may_live_in_memory(names: None) -> None:
    pytest.importorskip("av")
    from comfy_api.latest import InputImpl

    buffer = BytesIO()
    video().save_to(buffer)
    read = InputImpl.VideoFromFile(buffer)
    assert read.get_components().images.shape == (8, 32, 48, 3)
    assert read.get_components().audio is None
    again = BytesIO()
    read.save_to(again)
    assert InputImpl.VideoFromFile(again).get_frame_count() == 8
    source = video().get_stream_source()
    assert isinstance(source, BytesIO)
    assert source.getvalue()[4:8] == b"ftyp"


def test_what_is_no_video_is_refused_by_name(names: None, tmp_path: Path) -> None:
    pytest.importorskip("av")
    from comfy_api.latest import InputImpl

    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video" * 100)
    with pytest.raises(LatentwireError, match=r"a\.mp4: this is no video that can be read"):
        InputImpl.VideoFromFile(path).get_components()
