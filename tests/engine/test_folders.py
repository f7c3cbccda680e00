"""engine.folders: what is found where, and which names are refused."""

import os
from pathlib import Path

import pytest

from engine.errors import PathError, SettingsError
from engine.folders import Folders, embedded_models, inside, split_annotation


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_listing_is_recursive_sorted_and_holds_only_weights(tmp_path: Path) -> None:
    for name in ("b.safetensors", "a/z.ckpt", "a/notes.txt", "C.PT", "a/.git/x.bin"):
        put(tmp_path / "models/hypernetworks" / name)
    assert Folders(tmp_path).list("hypernetworks") == ["C.PT", os.path.join("a", "z.ckpt"), "b.safetensors"]


@pytest.mark.parametrize(("legacy", "current"), [("clip", "text_encoders"), ("unet", "diffusion_models")])
def test_legacy_names_mean_the_new_kind_and_both_folders_are_read(tmp_path: Path, legacy: str, current: str) -> None:
    put(tmp_path / "models" / legacy / "old.safetensors")
    put(tmp_path / "models" / current / "new.safetensors")
    folders = Folders(tmp_path)
    assert folders.list(legacy) == folders.list(current) == ["new.safetensors", "old.safetensors"]
    assert folders.path(legacy, "old.safetensors").parent.name == legacy
    assert legacy not in folders.kinds()


def test_t2i_adapters_are_controlnets_configs_are_yaml_and_diffusers_are_whole_folders(tmp_path: Path) -> None:
    put(tmp_path / "models/t2i_adapter/t.pth")
    put(tmp_path / "models/configs/v1.yaml")
    put(tmp_path / "models/diffusers/sd/model_index.json")
    put(tmp_path / "models/diffusers/other/readme.md")
    folders = Folders(tmp_path)
    assert folders.list("controlnet") == ["latentwire_icons_edges.safetensors", "t.pth"]  # the first one ships
    assert (folders.list("configs"), folders.list("diffusers")) == (["v1.yaml"], ["sd"])
    assert folders.path("diffusers", "sd").is_dir()


def test_a_listing_is_read_anew_when_a_file_appears_and_when_one_goes(tmp_path: Path) -> None:
    first = put(tmp_path / "models/vae/deep/er/a.pt")
    folders = Folders(tmp_path)
    long_ago = (1e9, 1e9)
    for folder in (first.parent, first.parent.parent, first.parent.parent.parent):
        os.utime(folder, long_ago)  # old enough to be trusted
    assert folders.list("vae") == ["deep/er/a.pt"]
    put(tmp_path / "models/vae/deep/er/b.pt")
    assert folders.list("vae") == ["deep/er/a.pt", "deep/er/b.pt"]
    first.unlink()
    assert folders.list("vae") == ["deep/er/b.pt"]


def test_a_listing_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path / "models/vae/a.pt").parent
    os.utime(folder, (1e9, 1e9))
    folders = Folders(tmp_path)
    folders.list("vae")
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("read again"))
    assert folders.list("vae") == ["a.pt"]


def test_the_caller_may_change_the_list_it_got(tmp_path: Path) -> None:
    put(tmp_path / "models/vae/a.pt")
    folders = Folders(tmp_path)
    folders.list("vae").clear()
    assert folders.list("vae") == ["a.pt"]


def test_a_ring_of_links_ends_and_a_link_to_another_disk_is_followed(tmp_path: Path) -> None:
    elsewhere = put(tmp_path / "disk/big.safetensors").parent
    checkpoints = tmp_path / "base/models/checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "linked").symlink_to(elsewhere)
    (checkpoints / "ring").symlink_to(checkpoints)
    folders = Folders(tmp_path / "base", embedded=tmp_path / "none")
    assert folders.list("checkpoints") == ["linked/big.safetensors"]
    assert folders.path("checkpoints", "linked/big.safetensors").read_bytes() == b"x"


BAD_NAMES = [
    "../a.pt",
    "x/../../a.pt",
    "/etc/passwd",
    "\\\\server\\share",
    "..\\a.pt",
    "C:\\a.pt",
    "C:a.pt",
    "a\0.pt",
    "",
    "\ud800",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path / "models/a.pt")
    with pytest.raises(PathError):
        inside(tmp_path, name)
    with pytest.raises(PathError, match="vae: "):
        Folders(tmp_path).path("vae", name)
    with pytest.raises(PathError, match="input: "):
        Folders(tmp_path).input_file(name)


def test_a_missing_file_is_named_with_its_kind_and_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"loras: no file 'x\.safetensors'; looked in .*models/loras"):
        Folders(tmp_path).path("loras", "x.safetensors")
    with pytest.raises(PathError, match="too long"):
        Folders(tmp_path).path("loras", "x" * 5000)


def test_an_unknown_kind_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(PathError, match=r"'lora' is no kind .*loras"):
        Folders(tmp_path).list("lora")


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("a.png", ("a.png", None)),
        ("a.png [output]", ("a.png", "output")),
        ("a [x].png [temp]", ("a [x].png", "temp")),
        ("sub/a.png [input]", ("sub/a.png", "input")),
        ("a[2].png", ("a[2].png", None)),
    ],
)
def test_a_name_may_say_its_root(name: str, split: tuple[str, str | None]) -> None:
    assert split_annotation(name) == split


def test_input_files_are_found_by_plain_and_annotated_names(tmp_path: Path) -> None:
    folders = Folders(tmp_path, output=tmp_path / "out")
    first, second = put(tmp_path / "input/sub/a.png"), put(tmp_path / "out/b.png")
    assert folders.input_file("sub/a.png") == first
    assert folders.input_file("b.png [output]") == second
    assert folders.input_file("b.png", root="output") == second
    with pytest.raises(PathError, match=r"output: no file 'a\.png'"):
        folders.input_file("a.png [output]")


def test_an_input_that_links_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    secret = put(tmp_path / "secret.png")
    (tmp_path / "base/input").mkdir(parents=True)
    (tmp_path / "base/input/a.png").symlink_to(secret)
    with pytest.raises(PathError, match="leads out"):
        Folders(tmp_path / "base").input_file("a.png")


def test_only_pictures_at_the_top_are_offered_as_input(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "c.webp", "d.mp3", "e.txt", "sub/f.png"):
        put(tmp_path / "input" / name)
    folders = Folders(tmp_path)
    assert folders.input_files() == ["a.JPG", "b.png", "c.webp"]
    assert folders.input_files("audio") == ["d.mp3"]
    assert Folders(tmp_path / "nowhere").input_files() == []


def test_the_embedded_models_are_found_wherever_the_base_is(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert folders.folders("checkpoints")[-1] == embedded_models() / "checkpoints"
    shipped = tmp_path / "shipped"
    put(shipped / "checkpoints/icons.safetensors")
    assert Folders(tmp_path, embedded=shipped).list("checkpoints") == ["icons.safetensors"]


def test_what_was_saved_to_the_output_can_be_loaded(tmp_path: Path) -> None:
    saved = put(tmp_path / "out/checkpoints/merged.safetensors")
    assert Folders(tmp_path, output=tmp_path / "out").path("checkpoints", "merged.safetensors") == saved


EXTRA = """
comfyui:
    base_path: {base}
    checkpoints: models/checkpoints/
    clip: |
        models/text_encoders/
        models/clip/  # legacy location
    my_own_kind: $LATENTWIRE_TEST_FOLDER/things
other:
    is_default: true
    loras: relative/loras
empty:
"""


def test_comfyuis_extra_model_paths_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTWIRE_TEST_FOLDER", str(tmp_path / "env"))
    config = tmp_path / "conf/extra.yaml"
    put(config, EXTRA.format(base=tmp_path / "comfy").encode())
    for name in (
        "comfy/models/checkpoints/c.ckpt",
        "comfy/models/text_encoders/t5.pt",
        "comfy/models/clip/l.pt",
        "env/things/any.thing",
        "conf/relative/loras/r.pt",
        "base/models/loras/r.pt",
    ):
        put(tmp_path / name)
    folders = Folders(tmp_path / "base", extra=[config], embedded=tmp_path / "none")
    assert folders.list("checkpoints") == ["c.ckpt"]
    assert folders.list("text_encoders") == ["l.pt", "t5.pt"]
    assert folders.list("my_own_kind") == ["any.thing"]
    assert folders.path("loras", "r.pt") == tmp_path / "conf/relative/loras/r.pt"


def test_the_extra_paths_beside_the_models_need_not_be_named(tmp_path: Path) -> None:
    put(tmp_path / "extra_model_paths.yaml", b"a:\n  base_path: ./more\n  vae: v\n")
    put(tmp_path / "more/v/a.pt")
    assert Folders(tmp_path).list("vae") == ["a.pt"]


@pytest.mark.parametrize("text", [b"- 1\n", b"a: [", b"a: text", b"\xff\xfe\x00"])
def test_extra_paths_of_another_form_are_refused_by_name(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(SettingsError, match=r"extra\.yaml"):
        Folders(tmp_path, extra=[put(tmp_path / "extra.yaml", text)])


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"checkpoints: [1]", "checkpoints"),
        (b"checkpoints: 5", "checkpoints"),
        (b"checkpoints: {a: b}", "checkpoints"),
        (b"base_path: [x]", "base_path"),
        (b'vae: "a\\0b"', "vae"),
        (b'base_path: "a\\0b"', "base_path"),
    ],
)
def test_extra_paths_that_are_no_paths_are_refused_by_file_and_key(tmp_path: Path, line: bytes, key: str) -> None:
    with pytest.raises(SettingsError, match=rf"extra\.yaml: {key}: expected a folder"):
        Folders(tmp_path, extra=[put(tmp_path / "extra.yaml", b"a:\n  " + line + b"\n")])


def test_extra_paths_that_are_missing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml"):
        Folders(tmp_path, extra=[tmp_path / "none.yaml"])
