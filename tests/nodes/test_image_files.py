"""Pictures read from the input folder and written to the output folder."""

import io
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import engine.saving
from engine import file_checks
from engine.errors import Cancelled, ImageError, PathError
from engine.folders import Folders
from engine.graph.builder import Builder
from engine.graph.define import node_type
from engine.graph.events import Event, Preview, Progress
from engine.graph.nodetype import Result
from engine.graph.run import Run
from engine.graph.validate import validate
from engine.metadata import read_workflow
from engine.settings import Settings
from nodes import image_files
from tests.nodes.bench import Bench

Noise = Callable[..., Tensor]
PROMPT = {"9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}}}
WORKFLOW = {"nodes": [], "links": []}
RUN = Run("9", print)


def shown(result: Result) -> Sequence[Mapping[str, Any]]:
    assert result.ui is not None
    return result.ui["images"]


def save(
    images: Tensor,
    folders: Folders,
    prefix: str = "ComfyUI",
    settings: Settings | None = None,
    run: Run | None = None,
) -> Result:
    return image_files.save_image(
        images=images,
        filename_prefix=prefix,
        prompt=PROMPT,
        extra_pnginfo={"workflow": WORKFLOW},
        folders=folders,
        settings=settings or Settings(),
        run=run or RUN,
    )


def preview(images: Tensor, folders: Folders, run: Run) -> Result:
    return image_files.preview_image(images=images, prompt=PROMPT, folders=folders, settings=Settings(), run=run)


# writing


def test_every_picture_of_a_batch_gets_the_next_number(folders: Folders, noise: Noise) -> None:
    first = shown(save(noise(2, 4, 6, 3), folders))
    second = shown(save(noise(1, 4, 6, 3), folders))
    assert first == [
        {"filename": "ComfyUI_00001_.png", "subfolder": "", "type": "output"},
        {"filename": "ComfyUI_00002_.png", "subfolder": "", "type": "output"},
    ]
    assert second[0]["filename"] == "ComfyUI_00003_.png"


def test_pixels_are_rounded_down_to_bytes(folders: Folders) -> None:
    images = torch.tensor([0.0, 0.5, 0.999, 1.2, -1.0, float("nan")]).reshape(1, 1, 6, 1).expand(1, 1, 6, 3)
    save(images, folders)
    with Image.open(folders.output / "ComfyUI_00001_.png") as picture:
        assert picture.mode == "RGB"
        assert [picture.getpixel((x, 0))[0] for x in range(6)] == [0, 127, 254, 255, 0, 0]


def test_the_prompt_and_the_workflow_go_into_the_file(folders: Folders, noise: Noise) -> None:
    save(noise(1, 4, 6, 3), folders)
    texts = read_workflow(folders.output / "ComfyUI_00001_.png")
    assert json.loads(texts["prompt"]) == PROMPT
    assert json.loads(texts["workflow"]) == WORKFLOW


def test_nothing_goes_into_the_file_where_metadata_is_off(folders: Folders, noise: Noise) -> None:
    save(noise(1, 4, 6, 3), folders, settings=Settings(disable_metadata=True))
    assert read_workflow(folders.output / "ComfyUI_00001_.png") == {}


def test_a_prefix_may_name_a_folder_and_the_size(folders: Folders, noise: Noise) -> None:
    made = shown(save(noise(2, 4, 6, 3), folders, "cats/%width%x%height%_%batch_num%"))
    assert [(each["subfolder"], each["filename"]) for each in made] == [
        ("cats", "6x4_0_00001_.png"),
        ("cats", "6x4_1_00002_.png"),
    ]
    assert (folders.output / "cats" / "6x4_1_00002_.png").is_file()


@pytest.mark.parametrize("prefix", ["../a", "a/../../b", "/tmp/a", "a\0b", "C:\\a", "..\\a", "a\nb", "x" * 300])
def test_a_prefix_cannot_lead_out_of_the_output_folder(prefix: str, folders: Folders, noise: Noise) -> None:
    before = sorted(folders.base.rglob("*"))
    with pytest.raises(PathError, match="filename_prefix"):
        save(noise(1, 4, 4, 3), folders, prefix)
    message = file_checks.prefix_stays_inside(prefix, folders)
    assert isinstance(message, str)
    assert "filename_prefix" in message
    assert sorted(folders.base.rglob("*")) == before


def test_an_output_folder_that_is_a_file_is_a_readable_error(folders: Folders, noise: Noise) -> None:
    folders.output.rmdir()
    folders.output.write_text("not a folder")
    with pytest.raises(PathError, match="output"):
        save(noise(1, 4, 4, 3), folders)
    assert folders.output.read_text() == "not a folder"


def test_what_is_no_picture_is_not_saved(folders: Folders) -> None:
    with pytest.raises(ImageError, match=r"^images: expected"):
        save(torch.zeros(1, 4, 8, 8)[0], folders)
    with pytest.raises(ImageError, match="1 to 4 channels"):
        save(torch.zeros(1, 4, 8, 8), folders)
    assert list(folders.output.iterdir()) == []


def test_previews_go_to_the_temporary_folder_under_a_name_of_their_own(folders: Folders, noise: Noise) -> None:
    result = preview(noise(1, 4, 6, 4), folders, RUN)
    (made,) = shown(result)
    assert made["type"] == "temp"
    assert made["filename"].startswith("ComfyUI_temp_")
    assert made["filename"].endswith("_00001_.png")
    with Image.open(folders.temp / made["filename"]) as picture:
        assert picture.mode == "RGBA"
    assert not list(folders.output.iterdir())


# written once


def attempt(number: int, job: str = "job-1", **more: Any) -> Run:
    return Run("9", print, job=job, attempt=number, **more)


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_a_picture_says_which_job_made_it_before_anything_else(folders: Folders, noise: Noise) -> None:
    save(noise(2, 4, 6, 3), folders, run=attempt(1, call=3))
    with Image.open(folders.output / "ComfyUI_00002_.png") as picture:
        assert list(picture.text) == ["latentwire", "prompt", "workflow"]
        assert json.loads(picture.text["latentwire"]) == {"job": "job-1", "node": "9", "call": 3, "index": 1}


def test_a_picture_says_only_which_job_made_it_where_metadata_is_off(folders: Folders, noise: Noise) -> None:
    save(noise(1, 4, 6, 3), folders, settings=Settings(disable_metadata=True), run=attempt(1))
    with Image.open(folders.output / "ComfyUI_00001_.png") as picture:
        assert list(picture.text) == ["latentwire"]


@pytest.mark.parametrize("prefix", ["ComfyUI", "cats/%width%_%batch_num%", "%year%/%month% %second%/cat %hour%"])
def test_the_next_attempt_shows_what_the_one_before_wrote_and_writes_the_rest(
    prefix: str, folders: Folders, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise(4, 4, 6, 3)
    written = shown(save(images[:3], folders, prefix, run=attempt(1)))
    (folders.output / written[1]["subfolder"] / written[1]["filename"]).unlink()
    save(noise(1, 4, 6, 3), folders, prefix, run=attempt(1, job="job-2"))
    later = time.localtime(time.time() + 100_000_000)
    monkeypatch.setattr(engine.saving.time, "localtime", lambda: later)
    before = files(folders.output)
    again = shown(save(images, folders, prefix, run=attempt(2)))
    assert [again[0], again[2]] == [written[0], written[2]]
    made = sorted(os.path.join(again[n]["subfolder"], again[n]["filename"]) for n in (1, 3))
    assert files(folders.output) == sorted([*before, *made])
    assert shown(save(images, folders, prefix, run=attempt(3))) == again


@pytest.mark.parametrize("other", [{"job": "job-2"}, {"call": 1}, {"node_id": "8"}, {"attempt": 1}, {"job": ""}])
def test_a_picture_of_another_job_node_or_call_is_never_taken_for_ones_own(
    other: dict[str, Any], folders: Folders, noise: Noise
) -> None:
    save(noise(1, 4, 6, 3), folders, run=attempt(1))
    (folders.output / "ComfyUI_00002_.png").write_bytes(b"no picture")
    (folders.output / "ComfyUI_00003_.png").mkdir()
    (made,) = shown(save(noise(1, 4, 6, 3), folders, run=replace(attempt(2), **other)))
    assert made["filename"] == "ComfyUI_00004_.png"


def test_a_job_previews_under_the_same_name_at_its_next_attempt(folders: Folders, noise: Noise) -> None:
    first = shown(preview(noise(2, 4, 6, 3), folders, attempt(1)))
    assert shown(preview(noise(2, 4, 6, 3), folders, attempt(2))) == first
    assert len(files(folders.temp)) == 2
    (other,) = shown(preview(noise(1, 4, 6, 3), folders, attempt(1, job="job-2")))
    assert other["filename"][:-10] != first[0]["filename"][:-10]


def test_few_heads_are_read_where_there_are_many_pictures(
    folders: Folders, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "LOOK_BACK", 5)
    read: list[Path] = []
    monkeypatch.setattr(image_files, "read_origin", lambda path: read.append(path))
    for n in range(20):
        (folders.output / f"ComfyUI_{n:05}_.png").touch()
    save(noise(2, 4, 6, 3), folders, run=attempt(2))
    assert [path.name for path in read[:2]] == ["ComfyUI_00019_.png", "ComfyUI_00018_.png"]
    assert len(read) == 7


def test_a_cancelled_run_writes_no_further_picture(folders: Folders, noise: Noise) -> None:
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        save(noise(5, 4, 6, 3), folders, run=Run("9", print, lambda: next(answers)))
    assert len(files(folders.output)) == 2


# reading


def test_a_saved_picture_is_loaded_as_it_was(folders: Folders) -> None:
    images = torch.randint(0, 256, (1, 5, 7, 3), generator=torch.Generator().manual_seed(3)) / 255
    save(images, folders)
    loaded = image_files.load_image(image="ComfyUI_00001_.png [output]", folders=folders, run=RUN)
    # ⌊255 · (n / 255)⌋ in float32 is n for most n and n − 1 for some; ComfyUI loses the same ones.
    assert torch.allclose(loaded.IMAGE, images, atol=1.001 / 255)
    assert torch.equal(loaded.MASK, torch.zeros(1, 64, 64))


def test_the_combo_lists_the_pictures_of_the_input_folder(folders: Folders) -> None:
    for name in ("b.png", "a.jpg", "notes.txt"):
        (folders.input / name).touch()
    combo = node_type(image_files.load_image, {Folders: folders}).input("image")
    assert combo is not None
    assert combo.current_choices() == ("a.jpg", "b.png")


@pytest.mark.parametrize("name", ["gone.png", "../a.png", "/etc/passwd", "a\0.png", "gone.png [output]", ""])
def test_an_invalid_name_is_refused_in_comfyuis_words(name: str, folders: Folders) -> None:
    (folders.base / "a.png").touch()
    assert file_checks.image_exists(name, folders) == f"Invalid image file: {name}"
    with pytest.raises(PathError):
        image_files.load_image(image=name, folders=folders, run=RUN)


@pytest.mark.parametrize("name", [None, 5, {}])
def test_what_is_no_name_of_a_picture_is_a_readable_error(name: Any, folders: Folders) -> None:
    with pytest.raises(PathError, match="expected the name of a file"):
        image_files.load_image(image=name, folders=folders, run=RUN)


def test_the_fingerprint_is_the_files_content(folders: Folders) -> None:
    (folders.input / "a.png").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert image_files.image_fingerprint("a.png", folders) == expected
    (folders.input / "a.png").write_bytes(b"abd")
    assert image_files.image_fingerprint("a.png", folders) != expected
    unknown = image_files.image_fingerprint(None, folders)
    assert isinstance(unknown, float)
    assert math.isnan(unknown)


def test_a_file_that_is_no_picture_is_named(folders: Folders) -> None:
    (folders.input / "a.png").write_text("hello")
    with pytest.raises(ImageError, match=r"a\.png: not a picture"):
        image_files.load_image(image="a.png", folders=folders, run=RUN)


def test_a_link_out_of_the_input_folder_is_not_followed(folders: Folders, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (folders.input / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(PathError, match="leads out"):
        image_files.load_image(image="a.png", folders=folders, run=RUN)


def test_pictures_sent_to_a_client_arrive_whole_and_one_by_one(noise: Noise) -> None:
    sent: list[Event] = []
    pictures = (noise(3, 8, 6, 3) * 255).round() / 255
    assert image_files.send_image(images=pictures, run=Run("1", sent.append)) is None
    shown = [each for each in sent if isinstance(each, Preview)]
    assert [each.mime for each in shown] == ["image/png"] * 3
    for file, picture in zip(shown, pictures, strict=True):
        with Image.open(io.BytesIO(file.data)) as opened:
            assert torch.equal(torch.from_numpy(np.asarray(opened).copy()) / 255, picture)
    assert [each for each in sent if isinstance(each, Progress)] == [Progress("1", n, 3) for n in (1, 2, 3)]
    assert math.isnan(image_files.never_the_same())


# comparing


@pytest.mark.parametrize("view", [{}, {"compare_view": ["", ""]}, {"compare_view": None}])
def test_two_pictures_are_shown_to_be_compared(view: dict[str, Any], bench: Bench) -> None:
    graph = Builder()
    one, two = (bench.constant(graph, torch.full((1, 4, side, 3), 0.5)) for side in (6, 8))
    shown = graph.node("ImageCompare", image_a=one, image_b=two, **view)
    ui = bench.run(graph, shown).check().ui[shown.id]
    sizes = []
    for (file,) in (ui["a_images"], ui["b_images"]):
        assert file["type"] == "temp"
        with Image.open(bench.folders.temp / file["filename"]) as picture:
            sizes.append(picture.size)
    assert sizes == [(6, 4), (8, 4)]
    assert "comfy.compare.a_temp_" in ui["a_images"][0]["filename"]


def test_one_picture_alone_is_shown_too(bench: Bench) -> None:
    graph = Builder()
    shown = graph.node("ImageCompare", image_b=bench.constant(graph, torch.zeros(2, 4, 4, 3)))
    ui = bench.run(graph, shown).check().ui[shown.id]
    assert [*ui] == ["b_images"]
    assert len(ui["b_images"]) == 2


def test_a_picture_is_loaded_from_the_output_folder(bench: Bench) -> None:
    Image.new("RGB", (5, 3), (255, 0, 51)).save(bench.folders.output / "a.png")
    graph = Builder()
    loaded = graph.node("LoadImageOutput", image="a.png [output]")
    assert bench.value(graph, loaded)[0, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    missing = Builder()
    missing.node("PreviewImage", images=missing.node("LoadImageOutput", image="b.png [output]"))
    assert "Invalid image file: b.png [output]" in str(validate(missing.prompt(), bench.registry))
