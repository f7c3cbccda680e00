"""What a node shows in the browser: `io.NodeOutput(…, ui=ui.PreviewImage(image, cls=cls))`.

Previews are written to the folder for temporary files when they are made; savers write to the output folder.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from comfy_api.latest import _ui_files as files
from comfy_api.latest._io_widgets import FolderType
from comfy_api.latest._ui_files import SavedResult
from compat.missing import missing

__all__ = [
    "AudioSaveHelper",
    "FolderType",
    "ImageSaveHelper",
    "PreviewAudio",
    "PreviewImage",
    "PreviewMask",
    "PreviewText",
    "PreviewUI3D",
    "PreviewVideo",
    "SavedAudios",
    "SavedImages",
    "SavedResult",
]


class SavedImages:
    """Pictures that lie in a folder already."""

    def __init__(self, results: Sequence[SavedResult], is_animated: bool = False) -> None:
        self.results = [*results]
        self.is_animated = is_animated

    def as_dict(self) -> dict[str, Any]:
        """What the browser gets."""
        return {"images": [dict(each) for each in self.results], "animated": (self.is_animated,)}


class SavedAudios:
    """Sounds that lie in a folder already."""

    def __init__(self, results: Sequence[SavedResult]) -> None:
        self.results = [*results]

    def as_dict(self) -> dict[str, Any]:
        """What the browser gets."""
        return {"audio": [dict(each) for each in self.results]}


class ImageSaveHelper:
    """Writes pictures. `cls` is the node: its hidden values go into the files, so its schema should ask for them."""

    @staticmethod
    def save_images(
        images: Any, filename_prefix: str, folder_type: FolderType | str, cls: Any = None, compress_level: int = 4
    ) -> list[SavedResult]:
        """Each picture of a batch as a PNG."""
        return files.save_pngs(images, filename_prefix, folder_type, cls, compress_level)

    @staticmethod
    def get_save_images_ui(images: Any, filename_prefix: str, cls: Any = None, compress_level: int = 4) -> SavedImages:
        """The same into the output folder, to be shown."""
        return SavedImages(files.save_pngs(images, filename_prefix, FolderType.output, cls, compress_level))

    @staticmethod
    def save_animated_png(
        images: Any,
        filename_prefix: str,
        folder_type: FolderType | str,
        cls: Any = None,
        fps: float = 6.0,
        compress_level: int = 4,
    ) -> SavedResult:
        """A batch as one moving PNG."""
        options = {"duration": int(1000.0 / fps), "compress_level": compress_level}
        return files.save_animation(images, filename_prefix, folder_type, cls, "png", **options)

    @staticmethod
    def get_save_animated_png_ui(
        images: Any, filename_prefix: str, cls: Any = None, fps: float = 6.0, compress_level: int = 4
    ) -> SavedImages:
        """The same into the output folder, to be shown."""
        saved = ImageSaveHelper.save_animated_png(images, filename_prefix, FolderType.output, cls, fps, compress_level)
        return SavedImages([saved], is_animated=len(images) > 1)

    @staticmethod
    def save_animated_webp(
        images: Any,
        filename_prefix: str,
        folder_type: FolderType | str,
        cls: Any = None,
        fps: float = 6.0,
        lossless: bool = True,
        quality: int = 80,
        method: int | str = "default",
    ) -> SavedResult:
        """A batch as one moving WebP. method: how hard the encoder tries, 0 to 6, or default, fastest, slowest."""
        effort = files.WEBP_METHODS[method] if isinstance(method, str) else method
        options = {"duration": int(1000.0 / fps), "lossless": lossless, "quality": quality, "method": effort}
        return files.save_animation(images, filename_prefix, folder_type, cls, "webp", **options)

    @staticmethod
    def get_save_animated_webp_ui(
        images: Any,
        filename_prefix: str,
        cls: Any = None,
        fps: float = 6.0,
        lossless: bool = True,
        quality: int = 80,
        method: int | str = "default",
    ) -> SavedImages:
        """The same into the output folder, to be shown."""
        saved = ImageSaveHelper.save_animated_webp(
            images, filename_prefix, FolderType.output, cls, fps, lossless, quality, method
        )
        return SavedImages([saved], is_animated=len(images) > 1)


class AudioSaveHelper:
    """Writes sound: wav; flac, mp3 and opus where PyAV is installed. quality: of mp3 and opus, such as "128k"."""

    @staticmethod
    def save_audio(
        audio: Mapping[str, Any],
        filename_prefix: str,
        folder_type: FolderType | str,
        cls: Any = None,
        format: str = "flac",
        quality: str = "128k",
    ) -> list[SavedResult]:
        """Each sound of a batch as a file."""
        return files.save_sound(audio, filename_prefix, folder_type, cls, format, quality)

    @staticmethod
    def get_save_audio_ui(
        audio: Mapping[str, Any],
        filename_prefix: str,
        cls: Any = None,
        format: str = "flac",
        quality: str = "128k",
    ) -> SavedAudios:
        """The same into the output folder, to be shown."""
        return SavedAudios(files.save_sound(audio, filename_prefix, FolderType.output, cls, format, quality))


class PreviewImage(SavedImages):
    """Pictures that are shown and not kept."""

    def __init__(self, image: Any, animated: bool = False, cls: Any = None, **more: Any) -> None:
        saved = files.save_pngs(image, files.preview_prefix(), FolderType.temp, cls, compress_level=1)
        super().__init__(saved, animated)
        self.values = self.results
        self.animated = animated


class PreviewMask(PreviewImage):
    """Masks, shown in grey. Shapes: mask [B, H, W] or [H, W]."""

    def __init__(self, mask: Any, animated: bool = False, cls: Any = None, **more: Any) -> None:
        grey = mask.reshape((-1, *mask.shape[-2:])).unsqueeze(-1).expand(-1, -1, -1, 3)
        super().__init__(grey, animated, cls, **more)


class PreviewAudio(SavedAudios):
    """Sound that is played and not kept: FLAC, or WAV where no encoder is installed."""

    def __init__(self, audio: Mapping[str, Any], cls: Any = None, **more: Any) -> None:
        format = "flac" if files.has_pyav() else "wav"
        super().__init__(files.save_sound(audio, files.preview_prefix(), FolderType.temp, cls, format, "128k"))
        self.values = self.results


class PreviewVideo(SavedImages):
    """Videos that lie in a folder already."""

    def __init__(self, values: Sequence[Any], **more: Any) -> None:
        super().__init__(values, is_animated=True)
        self.values = self.results


class PreviewText:
    """A text at the node."""

    def __init__(self, value: str, **more: Any) -> None:
        self.value = value

    def as_dict(self) -> dict[str, Any]:
        """What the browser gets."""
        return {"text": (self.value,)}


class PreviewUI3D:
    """A model in space that lies in a folder already, and from where it is looked at."""

    def __init__(self, model_file: str, camera_info: Any, **more: Any) -> None:
        self.model_file = model_file
        self.camera_info = camera_info
        self.more = more

    def as_dict(self) -> dict[str, Any]:
        """What the browser gets."""
        return {"result": [self.model_file, self.camera_info, *self.more.values()]}


def __getattr__(name: str) -> object:
    raise missing("comfy_api.latest.ui", name)
