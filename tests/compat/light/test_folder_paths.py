"""ComfyUI's folder_paths over our folders: what plugins read is ours, what they write takes effect."""

import os
from pathlib import Path

import pytest
import torch

from compat.core_nodes.filenames import FileNames
from compat.host import Host
from engine.errors import PathError


@pytest.fixture
def paths(host: Host):
    import folder_paths

    return folder_paths


def test_plugins_find_the_host_root_beside_the_file(paths, host: Host):
    assert Path(paths.__file__).parent == host.folders.base
    assert (paths.base_path, paths.models_dir) == (str(host.folders.base), str(host.folders.models))


def test_a_kind_that_a_plugin_assigns_is_listed_and_found(paths, host: Host, tmp_path: Path):
    (tmp_path / "loras").mkdir()
    (tmp_path / "loras" / "a.gguf").touch()
    (tmp_path / "loras" / "b.txt").touch()
    paths.folder_names_and_paths["unet_gguf"] = ([str(tmp_path / "loras")], {".gguf"})
    assert "unet_gguf" in host.folders.kinds()
    assert paths.get_filename_list("unet_gguf") == ["a.gguf"]
    assert paths.get_full_path("unet_gguf", "a.gguf") == str(tmp_path / "loras" / "a.gguf")


def test_what_is_added_to_a_kinds_members_takes_effect(paths, tmp_path: Path):
    (tmp_path / "more" / "sub").mkdir(parents=True)
    (tmp_path / "more" / "sub" / "x.gguf").touch()
    assert os.path.join("sub", "x.gguf") not in paths.get_filename_list("loras")
    paths.folder_names_and_paths["loras"][0].append(str(tmp_path / "more"))
    assert os.path.join("sub", "x.gguf") not in paths.get_filename_list("loras")
    paths.folder_names_and_paths["loras"][1].add(".gguf")
    assert os.path.join("sub", "x.gguf") in paths.get_filename_list("loras")


@pytest.mark.parametrize("suffixes", [set(), [], (), frozenset()])
def test_no_suffixes_mean_every_file(paths, tmp_path: Path, suffixes):
    (tmp_path / "any").mkdir()
    (tmp_path / "any" / "weights.onnx").touch()
    paths.folder_names_and_paths["sams"] = ([str(tmp_path / "any")], suffixes)
    assert paths.get_filename_list("sams") == ["weights.onnx"]


def test_folders_are_added_once_and_the_default_comes_first(paths, tmp_path: Path):
    first, second = str(tmp_path / "1"), str(tmp_path / "2")
    paths.add_model_folder_path("instantid", first)
    paths.add_model_folder_path("instantid", first)
    paths.add_model_folder_path("instantid", second, is_default=True)
    assert paths.get_folder_paths("instantid") == [second, first]
    assert paths.folder_names_and_paths["instantid"] == ([second, first], set())


def test_unknown_kinds_are_key_errors_and_missing_files_are_none(paths):
    with pytest.raises(KeyError, match="no kind of model folder"):
        paths.get_filename_list("nothing")
    with pytest.raises(KeyError):
        paths.get_folder_paths("nothing")
    assert paths.get_full_path("nothing", "a") is None
    assert paths.get_full_path("loras", "missing.safetensors") is None
    with pytest.raises(FileNotFoundError):
        paths.get_full_path_or_raise("loras", "missing.safetensors")


def test_the_registry_is_a_plain_table(paths, host: Host):
    assert paths.folder_names_and_paths.get("no such kind") is None
    assert paths.folder_names_and_paths.get("loras")[1] >= {".safetensors", ".ckpt"}
    assert paths.supported_pt_extensions >= {".pt", ".bin", ".pth", ".safetensors", ".sft", ".pkl"}
    assert paths.get_input_directory() == str(host.folders.input)
    assert paths.get_user_directory() == str(host.folders.user)


def test_a_folder_of_learned_words_is_read_from_at_once(paths, host: Host, tmp_path: Path):
    (tmp_path / "words").mkdir()
    torch.save({"emb_params": torch.full((2, 768), 0.5)}, tmp_path / "words" / "mine.pt")
    assert host.loader.embeddings.find("mine", "clip_l", 768) is None
    paths.folder_names_and_paths["embeddings"][0].append(str(tmp_path / "words"))
    assert host.loader.embeddings.find("mine", "clip_l", 768).shape == (2, 768)


def test_old_names_of_kinds_work_but_not_in_the_registry(paths):
    assert paths.get_folder_paths("unet") == paths.get_folder_paths("diffusion_models")
    assert "unet" not in paths.folder_names_and_paths


def test_a_name_cannot_climb_out_of_its_kind(paths, host: Host):
    (host.folders.base / "secret.safetensors").touch()
    assert paths.get_full_path("checkpoints", "../../secret.safetensors") is None
    names = paths.get_filename_list("checkpoints")
    assert paths.get_full_path("checkpoints", "/" + names[0]) == paths.get_full_path("checkpoints", names[0])


def test_lists_are_fresh_and_know_their_kind(paths):
    paths.get_filename_list("checkpoints").clear()
    assert paths.get_filename_list("checkpoints")
    again = paths.get_filename_list("clip")
    assert isinstance(again, FileNames)
    assert (again.kind, again.before, again.also) == ("text_encoders", (), ())


def test_writing_a_directory_moves_ours(paths, host: Host, tmp_path: Path):
    paths.set_output_directory(str(tmp_path / "elsewhere"))
    assert host.folders.output == tmp_path / "elsewhere"
    assert paths.get_output_directory() == paths.output_directory == str(tmp_path / "elsewhere")
    paths.temp_directory = str(tmp_path / "t")
    assert (paths.get_temp_directory(), host.folders.temp) == (str(tmp_path / "t"), tmp_path / "t")
    assert paths.get_directory_by_type("output") == str(tmp_path / "elsewhere")
    assert paths.get_directory_by_type("models") is None


def test_annotated_names_choose_their_folder(paths, host: Host):
    assert paths.annotated_filepath("a.png [output]") == ("a.png", paths.output_directory)
    assert paths.annotated_filepath("a.png") == ("a.png", None)
    assert paths.get_annotated_filepath("sub/a.png [temp]") == os.path.join(paths.temp_directory, "sub/a.png")
    assert paths.get_annotated_filepath("a.png", "/somewhere") == "/somewhere/a.png"
    (host.folders.input / "here.png").touch()
    assert paths.exists_annotated_filepath("here.png")
    assert not paths.exists_annotated_filepath("gone.png")
    assert not paths.exists_annotated_filepath("../custom_nodes [input]")
    with pytest.raises(PathError):
        paths.get_annotated_filepath("../../etc/passwd")


def test_a_save_path_counts_on_and_fills_in_words(paths, tmp_path: Path):
    out = str(tmp_path)
    folder, stem, counter, subfolder, prefix = paths.get_save_image_path("sub/%width%x%height%", out, 64, 32)
    assert (folder, stem, counter, subfolder, prefix) == (f"{out}/sub", "64x32", 1, "sub", "sub/64x32")
    assert os.path.isdir(folder)
    for name in ("64x32_00007_.png", "64x32_00003_.webp", "64x32_x_.png", "other_00099_.png"):
        Path(folder, name).touch()
    assert paths.get_save_image_path("sub/%width%x%height%", out, 64, 32)[2] == 8
    assert paths.get_save_image_path("plain", out)[:4] == (out, "plain", 1, "")
    with pytest.raises(Exception, match="outside the output folder"):
        paths.get_save_image_path("../up", out)


def test_files_are_told_apart_by_suffix_and_content(paths, tmp_path: Path):
    names = ["b.PNG", "a.png", "c.txt", "d.webp", "e.mp4", "f.wav", "g.glb"]
    assert paths.filter_files_extensions(names, {".png"}) == ["a.png", "b.PNG"]
    assert paths.filter_files_content_types(names, ["image"]) == ["b.PNG", "a.png", "d.webp"]
    assert paths.filter_files_content_types(names, ["video", "audio"]) == ["e.mp4", "f.wav"]
    assert paths.filter_files_content_types(names, ["model"]) == ["g.glb"]


def test_a_search_goes_below_a_folder_and_leaves_out_what_it_is_told_to(paths, tmp_path: Path):
    for name in ("a", "b/c", ".git/d"):
        (tmp_path / "r" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "r" / name).touch()
    (tmp_path / "r" / "b" / "ring").symlink_to(tmp_path / "r", target_is_directory=True)
    files, changed = paths.recursive_search(str(tmp_path / "r"), [".git"])
    assert sorted(files) == ["a", os.path.join("b", "c")]
    assert set(changed) == {str(tmp_path / "r"), str(tmp_path / "r" / "b")}
    assert paths.recursive_search(str(tmp_path / "missing")) == ([], {})


def test_input_subfolders_are_listed(paths, host: Host):
    (host.folders.input / "x" / "y").mkdir(parents=True)
    assert paths.get_input_subfolders() == ["x", "x/y"]


def test_a_process_can_tell_another_of_its_kinds(paths, host: Host, tmp_path: Path):
    from engine.folders import Folders

    paths.folder_names_and_paths["pulid"] = ([str(tmp_path / "p")], {".safetensors"})
    other = Folders(tmp_path / "other")
    other.adopt(host.folders.described())
    assert other.folders("pulid") == (tmp_path / "p",)
    assert other.suffixes("pulid") == {".safetensors"}
    assert other.folders("loras") == host.folders.folders("loras")


def test_plugins_have_folders_of_their_own_among_users(host):
    import folder_paths

    own = folder_paths.get_system_user_directory("manager")
    assert own == f"{folder_paths.get_user_directory()}/__manager"
    assert folder_paths.get_public_user_directory("__manager") is None
    assert folder_paths.get_public_user_directory("default") == f"{folder_paths.get_user_directory()}/default"
    with pytest.raises(ValueError, match="expected letters"):
        folder_paths.get_system_user_directory("../x")
