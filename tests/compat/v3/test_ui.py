import json
import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from compat.host import Host
from engine.errors import ImageError, LatentwireError, PathError
from engine.metadata import read_workflow
from engine.settings import Settings


class Node:
    """What a node's class shows to the writers of files."""

    def __init__(self, prompt: Any = None, extra_pnginfo: Any = None) -> None:
        from comfy_api.latest import io

        self.hidden = io.HiddenHolder(prompt=prompt, extra_pnginfo=extra_pnginfo)


@pytest.fixture
def ui(host: Host) -> ModuleType:
    from comfy_api.latest import ui

    return ui


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_a_preview_lies_in_the_temporary_folder_with_its_workflow(ui: ModuleType, host: Host) -> None:
    images = noise(2, 6, 4, 3)
    shown = ui.PreviewImage(images, cls=Node({"1": {}}, {"workflow": {"a": 1}})).as_dict()
    assert shown["animated"] == (False,)
    assert [each["type"] for each in shown["images"]] == ["temp", "temp"]
    for image, each in zip(images, shown["images"], strict=True):
        path = host.folders.temp / each["subfolder"] / each["filename"]
        assert each["filename"].startswith("ComfyUI_temp_")
        with Image.open(path) as picture:
            assert numpy.array_equal(numpy.asarray(picture), (image * 255).numpy().astype(numpy.uint8))
        assert read_workflow(path) == {"prompt": '{"1": {}}', "workflow": '{"a": 1}'}


def test_no_workflow_goes_into_files_where_the_user_wants_none(ui: ModuleType, host: Host) -> None:
    host.engine.settings = Settings(base_directory=host.folders.base, cpu=True, disable_metadata=True)
    cls = Node({"1": {}}, {"workflow": {}})
    (saved,) = ui.ImageSaveHelper.save_images(noise(1, 2, 2, 3), "a", "output", cls)
    moving = ui.ImageSaveHelper.save_animated_webp(noise(2, 2, 2, 3), "a", "output", cls)
    assert read_workflow(host.folders.output / saved.filename) == {}
    assert read_workflow(host.folders.output / moving.filename) == {}


def test_a_mask_is_shown_in_grey(ui: ModuleType, host: Host) -> None:
    for mask in (torch.full((1, 3, 5), 0.5), torch.full((3, 5), 0.5)):
        (shown,) = ui.PreviewMask(mask).as_dict()["images"]
        with Image.open(host.folders.temp / shown["filename"]) as picture:
            assert picture.size == (5, 3)
            assert picture.getpixel((0, 0)) == (127, 127, 127)


def test_saved_pictures_are_numbered_below_their_sub_folder(ui: ModuleType, host: Host) -> None:
    helper = ui.ImageSaveHelper
    first = helper.save_images(noise(2, 2, 3, 3), "sub/%width%x%height%", ui.FolderType.output, Node())
    shown = helper.get_save_images_ui([noise(2, 3, 3)], "sub/3x2", Node()).as_dict()["images"]
    names = [each["filename"] for each in (*first, *shown)]
    assert names == ["3x2_00001_.png", "3x2_00002_.png", "3x2_00003_.png"]
    assert {each["subfolder"] for each in shown} == {"sub"}
    assert sorted(each.name for each in (host.folders.output / "sub").iterdir()) == names
    assert (first[0].filename, first[0].subfolder, first[0].type) == (names[0], "sub", ui.FolderType.output)


def test_files_stay_in_their_folder(ui: ModuleType) -> None:
    with pytest.raises(PathError, match="outside the output folder"):
        ui.ImageSaveHelper.save_images(noise(1, 2, 2, 3), "../a", "output", Node())
    with pytest.raises(ValueError, match="elsewhere"):
        ui.ImageSaveHelper.save_images(noise(1, 2, 2, 3), "a", "elsewhere", Node())


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_a_batch_moves(ui: ModuleType, host: Host, kind: str) -> None:
    images = torch.stack([torch.full((4, 4, 3), level) for level in (0.0, 0.5, 1.0)])
    save = getattr(ui.ImageSaveHelper, f"get_save_animated_{kind}_ui")
    shown = save(images, "moving", Node({"1": {}}), fps=10.0).as_dict()
    assert shown["animated"] == (True,)
    path = host.folders.output / shown["images"][0]["filename"]
    with Image.open(path) as picture:
        assert picture.n_frames == 3
        picture.seek(1)
        assert picture.convert("RGB").getpixel((0, 0)) == (127, 127, 127)
        picture.load()
        assert picture.info["duration"] == 100
    assert read_workflow(path) == {"prompt": '{"1": {}}'}


def test_what_is_no_picture_is_refused(ui: ModuleType) -> None:
    for wrong in (torch.zeros(2, 2), "picture", torch.zeros(0, 2, 2, 3)):
        with pytest.raises((ImageError, TypeError), match="expected"):
            ui.PreviewImage(wrong)


def tone(rate: int = 8000, channels: int = 2) -> dict[str, Any]:
    time = torch.arange(rate // 2) / rate
    wave_ = torch.stack([0.5 * torch.sin(2 * torch.pi * 440 * (n + 1) * time) for n in range(channels)])
    return {"waveform": wave_.unsqueeze(0), "sample_rate": rate}


def test_wav_needs_nothing_to_be_installed(ui: ModuleType, host: Host) -> None:
    sound = tone()
    (saved,) = ui.AudioSaveHelper.save_audio(sound, "tone", "output", Node(), format="wav")
    with wave.open(str(host.folders.output / saved.filename)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 4000)
        samples = numpy.frombuffer(file.readframes(4000), "<i2").reshape(-1, 2).T / 32767.0
    assert numpy.abs(samples - sound["waveform"][0].numpy()).max() < 1e-4


def without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)


def test_sound_can_be_heard_without_an_encoder(ui: ModuleType, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pyav(monkeypatch)
    (shown,) = ui.PreviewAudio(tone()).as_dict()["audio"]
    assert shown["filename"].endswith(".wav")
    assert (host.folders.temp / shown["filename"]).stat().st_size > 16_000
    with pytest.raises(LatentwireError, match=r"saving sound as FLAC needs the package PyAV; .*pip install av"):
        ui.AudioSaveHelper.get_save_audio_ui(tone(), "a", Node())
    assert not [*host.folders.output.rglob("*.flac")]
    with pytest.raises(LatentwireError, match="wav, flac, mp3, opus, not as 'xyz'"):
        ui.AudioSaveHelper.get_save_audio_ui(tone(), "a", Node(), format="xyz")
    with pytest.raises(LatentwireError, match=r"expected sound \[batch, channels, samples\]"):
        ui.PreviewAudio({"waveform": torch.zeros(3), "sample_rate": 8000})


PACKED = [
    ("flac", "", 48000, 1e-3),
    ("mp3", "V0", 48000, 0.05),
    ("mp3", "320k", 44100, 0.05),
    ("opus", "128k", 44100, 0.1),
]


@pytest.mark.parametrize(("format", "quality", "rate", "error"), PACKED)
def test_packed_sound_sounds_the_same(
    ui: ModuleType, host: Host, format: str, quality: str, rate: int, error: float
) -> None:
    av = pytest.importorskip("av")
    sound = tone(rate)
    cls = Node({"1": {}}, {"workflow": {"a": 1}})
    (saved,) = ui.AudioSaveHelper.get_save_audio_ui(sound, "tone", cls, format, quality).results
    with av.open(str(host.folders.output / saved["filename"])) as file:
        stream = file.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", rate=rate)
        frames = [part.to_ndarray() for each in file.decode(stream) for part in resampler.resample(each)]
        texts = {**file.metadata, **stream.metadata}
    assert json.loads(texts.get("prompt") or texts["PROMPT"]) == {"1": {}}
    heard = numpy.concatenate(frames, axis=1)
    assert abs(heard.shape[1] - rate // 2) <= 3000
    first, last = rate // 8, 3 * rate // 8
    middle = sound["waveform"][0].numpy()[:, first:last]
    # Encoders shift a sound by a little; its spectrum tells whether it is the same.
    for channel, frequency in ((0, 440), (1, 880)):
        spectrum = numpy.abs(numpy.fft.rfft(heard[channel, first:last]))
        assert numpy.argmax(spectrum) * 4 == pytest.approx(frequency, abs=4)
        assert numpy.std(heard[channel, first:last]) == pytest.approx(numpy.std(middle[channel]), abs=error)


def test_more_channels_than_two_are_kept_or_refused(ui: ModuleType, host: Host) -> None:
    av = pytest.importorskip("av")
    (saved,) = ui.AudioSaveHelper.save_audio(tone(channels=6), "six", "output", Node())
    with av.open(str(host.folders.output / saved.filename)) as file:
        assert file.streams.audio[0].layout.nb_channels == 6
    with pytest.raises(LatentwireError, match="1, 2, 6 or 8 channels, not 5"):
        ui.AudioSaveHelper.save_audio(tone(channels=5), "five", "output", Node())


def test_a_text_a_video_and_a_model_are_told_as_they_are(ui: ModuleType) -> None:
    assert ui.PreviewText("hello").as_dict() == {"text": ("hello",)}
    saved = ui.SavedResult("a.mp4", "sub", ui.FolderType.output)
    told = {"filename": "a.mp4", "subfolder": "sub", "type": "output"}
    assert ui.PreviewVideo([saved]).as_dict() == {"images": [told], "animated": (True,)}
    assert ui.SavedAudios([saved]).as_dict() == {"audio": [told]}
    assert ui.SavedImages([saved]).as_dict() == {"images": [told], "animated": (False,)}
    assert ui.PreviewUI3D("m.glb", {"zoom": 1}).as_dict() == {"result": ["m.glb", {"zoom": 1}]}


def test_nodes_show_what_they_made(pack: ModuleType, host: Host, run: Callable[..., Any]) -> None:
    def graph(how: str, source: tuple[str, dict[str, Any]], slot: int = 0) -> Any:
        return {"1": source, "2": ("V3Show", {"value": ["1", slot], "how": how})}

    shade = ("V3Shade", {"size": 4, "grey": 0.25, "mode": "light"})
    (shown,) = run(graph("image", shade), extra={"workflow": {"w": 1}}).check().ui["2"]["images"]
    kept = read_workflow(host.folders.temp / shown["filename"])
    assert json.loads(kept["workflow"]) == {"w": 1}
    assert json.loads(kept["prompt"])["1"]["class_type"] == "V3Shade"
    (saved,) = run(graph("save", shade)).check().ui["2"]["images"]
    assert Path(saved["subfolder"], saved["filename"]) == Path("v3", "pic_00001_.png")
    assert run(graph("text", shade, 1)).check().ui["2"]["text"] == ["0.25"]
    assert run(graph("webp", shade)).check().ui["2"]["images"][0]["filename"].endswith(".webp")
    masks = {**graph("mask", ("V3Opaque", {"image": ["0", 0]})), "0": shade}
    assert len(run(masks).check().ui["2"]["images"]) == 1
