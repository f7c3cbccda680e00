"""Videos: one that lies in a file, and one that is still in memory. Files are read and written by PyAV."""

import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import torch

from comfy_api.input.video_types import VideoInput
from comfy_api.util.video_types import VideoCodec, VideoComponents, VideoContainer
from engine.errors import LatentwireError
from engine.images import to_uint8

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""FFmpeg's names for so many channels."""

MICROSECONDS = 1_000_000  # what PyAV counts durations of files in


def pyav(what: str) -> Any:
    """PyAV, which is no part of this program. Raises: LatentwireError, saying how to get it."""
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise LatentwireError(f"{what} needs the package PyAV; install it with `pip install av`") from error


class VideoFromFile(VideoInput):
    """A video file: a path, or its bytes."""

    def __init__(self, file: str | Path | BytesIO) -> None:
        self._file = file if isinstance(file, BytesIO) else str(file)

    def get_stream_source(self) -> str | BytesIO:
        if isinstance(self._file, BytesIO):
            self._file.seek(0)
        return self._file

    def get_dimensions(self) -> tuple[int, int]:
        with self._opened() as container:
            stream = self._pictures(container)
            return stream.codec_context.width, stream.codec_context.height

    def get_duration(self) -> float:
        with self._opened() as container:
            if container.duration:
                return float(container.duration / MICROSECONDS)
            stream = self._pictures(container)
            frames = stream.frames or sum(1 for _ in container.decode(stream))
            return float(frames / (stream.average_rate or 1))

    def get_frame_count(self) -> int:
        with self._opened() as container:
            stream = self._pictures(container)
            return int(stream.frames or sum(1 for _ in container.decode(stream)))

    def get_frame_rate(self) -> Fraction:
        with self._opened() as container:
            return Fraction(self._pictures(container).average_rate or 1)

    def get_container_format(self) -> str:
        with self._opened() as container:
            return str(container.format.name)

    def get_components(self) -> VideoComponents:
        with self._opened() as container:
            stream = self._pictures(container)
            frames = [torch.from_numpy(each.to_ndarray(format="rgb24")) for each in container.decode(stream)]
            if not frames:
                raise LatentwireError(f"{self._name()}: this video has no pictures")
            rate = Fraction(stream.average_rate or 1)
            metadata = {key: _read(value) for key, value in container.metadata.items()}
        images = torch.stack(frames).float() / 255.0
        return VideoComponents(images, rate, self._audio(), metadata or None)

    def save_to(
        self,
        path: str | Path | BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See VideoInput. Pictures and sound are packed anew, as MP4 with H.264."""
        parts = self.get_components()
        both = {**(parts.metadata or {}), **(metadata or {})}
        VideoFromComponents(parts).save_to(path, format, codec, both)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        av = pyav("reading a video")
        try:
            container = av.open(self.get_stream_source(), mode="r")
        except (av.FFmpegError, OSError) as error:
            raise LatentwireError(f"{self._name()}: this is no video that can be read ({error})") from error
        with container:
            yield container

    def _pictures(self, container: Any) -> Any:
        if not container.streams.video:
            raise LatentwireError(f"{self._name()}: this file has no pictures in it")
        return container.streams.video[0]

    def _audio(self) -> dict[str, Any] | None:
        with self._opened() as container:
            if not container.streams.audio:
                return None
            stream = container.streams.audio[0]
            resampler = pyav("reading sound").AudioResampler(format="fltp")
            parts = [
                part.to_ndarray()
                for frame in [*container.decode(stream), None]
                for part in resampler.resample(frame)
                if part.samples
            ]
            if not parts:
                return None
            waveform = torch.from_numpy(numpy.concatenate(parts, axis=1)).unsqueeze(0)
            return {"waveform": waveform, "sample_rate": int(stream.rate)}

    def _name(self) -> str:
        return self._file if isinstance(self._file, str) else "the video"


class VideoFromComponents(VideoInput):
    """A video made of pictures, and of sound where there is any."""

    def __init__(self, components: VideoComponents) -> None:
        self._components = components

    def get_components(self) -> VideoComponents:
        return self._components

    def save_to(
        self,
        path: str | Path | BytesIO,
        format: VideoContainer = VideoContainer.AUTO,
        codec: VideoCodec = VideoCodec.AUTO,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See VideoInput: MP4 with H.264, and AAC for the sound. Odd sides lose a line, as H.264 wants even ones.

        Raises: LatentwireError, where PyAV is not installed; ValueError for another format or codec.
        """
        VideoContainer(format)
        VideoCodec(codec)
        av = pyav("writing a video")
        target = path if isinstance(path, BytesIO) else str(path)
        # Keys of one's own need this flag; without it only those MP4 knows are kept.
        with av.open(target, mode="w", format="mp4", options={"movflags": "use_metadata_tags"}) as container:
            for key, value in (metadata or {}).items():
                container.metadata[key] = value if isinstance(value, str) else json.dumps(value)
            _write(av, container, self._components)


def _write(av: Any, container: Any, parts: VideoComponents) -> None:
    rate = Fraction(parts.frame_rate).limit_denominator(100_000)
    height, width = (side - side % 2 for side in parts.images.shape[1:3])
    pictures = container.add_stream("h264", rate=rate)
    pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
    sound = None
    if parts.audio is not None:
        sound = sound_stream(container, "aac", int(parts.audio["sample_rate"]), parts.audio["waveform"][0])
    for image in parts.images:
        pixels = numpy.ascontiguousarray(to_uint8(image[:height, :width, :3]))
        container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")))
    container.mux(pictures.encode(None))
    if sound is not None and parts.audio is not None:
        for packet in encoded(av, sound, parts.audio["waveform"][0], int(parts.audio["sample_rate"])):
            container.mux(packet)


def sound_stream(container: Any, codec: str, sample_rate: int, waveform: torch.Tensor) -> Any:
    """A stream for such sound. Shapes: waveform [C, T]. Raises: LatentwireError for so many channels nobody has."""
    layout = LAYOUTS.get(len(waveform))
    if layout is None:
        raise LatentwireError(f"packed sound has 1, 2, 6 or 8 channels, not {len(waveform)}; mix it down")
    return container.add_stream(codec, rate=sample_rate, layout=layout)


def encoded(av: Any, stream: Any, waveform: torch.Tensor, sample_rate: int) -> Iterator[Any]:
    """Packets of sound. Shapes: waveform [C, T]."""
    samples = numpy.ascontiguousarray(waveform.detach().float().cpu().numpy())
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=LAYOUTS[len(samples)])
    frame.sample_rate = sample_rate
    frame.pts = 0
    yield from stream.encode(frame)
    yield from stream.encode(None)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
