"""engine.settings: ComfyUI's command lines mean the same here."""

import argparse
import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from engine.settings import (
    GIBIBYTE,
    Memory,
    Precision,
    PreviewMethod,
    Settings,
    add_arguments,
    from_namespace,
    parse,
)


def test_no_options_are_the_defaults() -> None:
    assert parse([]) == Settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse([]).cpu = True  # type: ignore[misc]


def test_a_comfyui_folder_is_used_in_place(tmp_path: Path) -> None:
    folders = parse(["--base-directory", str(tmp_path)]).folders()
    assert folders.input == tmp_path / "input"
    assert folders.folders("loras")[0] == tmp_path / "models/loras"


def test_each_folder_can_be_elsewhere(tmp_path: Path) -> None:
    words = [word for name in ("output", "input", "user") for word in (f"--{name}-directory", str(tmp_path / name[0]))]
    folders = parse(["--base-directory", str(tmp_path), *words]).folders()
    assert (folders.output, folders.input, folders.user) == (tmp_path / "o", tmp_path / "i", tmp_path / "u")
    assert folders.temp == tmp_path / "temp"


@pytest.mark.parametrize("name", ["typo", "file"])
def test_a_base_directory_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=rf"--base-directory .*{name}: there is no such folder"):
        parse(["--base-directory", str(tmp_path / name)]).folders()
    assert not (tmp_path / "typo").exists()


def test_the_temporary_folder_is_one_of_our_own_in_the_one_given(tmp_path: Path) -> None:
    assert parse(["--temp-directory", str(tmp_path)]).folders().temp == tmp_path / "temp"


def test_extra_model_paths_may_be_given_together_and_apart(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.yaml" for n in range(3)]
    for n, file in enumerate(files):
        file.write_text(f"s:\n  vae: /vae{n}\n")
    flag = "--extra-model-paths-config"
    settings = parse([flag, str(files[0]), str(files[1]), flag, str(files[2])])
    assert settings.extra_model_paths == tuple(files)
    assert {Path("/vae0"), Path("/vae1"), Path("/vae2")} <= set(settings.folders().folders("vae"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--cpu"], Settings(cpu=True)),
        (["--force-fp32"], Settings(precision="fp32")),
        (["--force-fp16", "--fp32-vae"], Settings(precision="fp16", vae_precision="fp32")),
        (["--bf16-unet", "--fp16-text-enc"], Settings(unet_precision="bf16", text_precision="fp16")),
        (["--cpu-vae", "--disable-metadata"], Settings(cpu_vae=True, disable_metadata=True)),
        (
            ["--preview-method", "latent2rgb", "--preview-size", "256"],
            Settings(preview_method="latent2rgb", preview_size=256),
        ),
        (
            ["--cache-ram", "1.5", "--cache-disk", "512M"],
            Settings(cache_ram=3 * GIBIBYTE // 2, cache_disk=GIBIBYTE // 2),
        ),
        (["--lowvram", "--reserve-vram", "2"], Settings(memory="lowvram", reserve_vram=2 * GIBIBYTE)),
        (["--novram", "--model-memory", "1.5"], Settings(memory="novram", model_memory=3 * GIBIBYTE // 2)),
        (
            ["--fp8_e4m3fn-unet", "--fp8_e5m2-text-enc"],
            Settings(unet_storage="fp8_e4m3fn", text_storage="fp8_e5m2"),
        ),
        (["--verbose"], Settings(verbose="DEBUG")),
        (["--cache-none", "--cuda-device", "1"], Settings(cache_none=True, cuda_device="1")),
    ],
)
def test_options_mean_what_they_say(words: list[str], expected: Settings) -> None:
    assert parse(words) == expected


def test_options_that_change_no_picture_are_accepted_and_remembered() -> None:
    settings = parse(["--use-pytorch-cross-attention", "--disable-xformers"])
    assert settings == Settings()
    assert settings.ignored == ("use-pytorch-cross-attention", "disable-xformers")


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-thing"],
        ["--preview-size", "0"],
        ["--preview-size", "nan"],
        ["--cache-ram", "-1"],
        ["--cache-ram", "many"],
        ["--preview-method", "oil"],
        ["--fp16-vae", "--fp32-vae"],
    ],
)
def test_a_wrong_option_is_refused_by_name(words: list[str]) -> None:
    with pytest.raises(SettingsError, match=words[-1] if len(words) == 1 else words[0]):
        parse(words)


def test_options_can_stand_beside_those_of_a_subcommand() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workflow")
    add_arguments(parser)
    assert from_namespace(parser.parse_args(["a.json", "--cpu"])) == Settings(cpu=True)


# from one process to another

NAMES = st.text(st.characters(exclude_characters="\0"), max_size=8)
PATHS = st.lists(NAMES, max_size=3).map(lambda parts: Path(*parts))
SIZES = st.none() | st.integers(0, 2**63)
PRECISIONS = st.sampled_from(get_args(Precision))


@given(
    st.builds(
        Settings,
        **{f"{name}_directory": st.none() | PATHS for name in ("base", "output", "input", "temp", "user")},
        extra_model_paths=st.lists(PATHS, max_size=2).map(tuple),
        cpu=st.booleans(),
        cuda_device=st.none() | NAMES,
        deterministic=st.booleans(),
        memory=st.sampled_from(get_args(Memory)),
        **dict.fromkeys(("precision", "unet_precision", "vae_precision", "text_precision"), PRECISIONS),
        cpu_vae=st.booleans(),
        **dict.fromkeys(("reserve_vram", "cache_ram", "cache_vram"), SIZES),
        cache_disk=st.integers(0, 2**63),
        cache_none=st.booleans(),
        disable_metadata=st.booleans(),
        preview_method=st.sampled_from(get_args(PreviewMethod)),
        preview_size=st.integers(1, 16384),
        verbose=NAMES,
        ignored=st.lists(NAMES, max_size=2).map(tuple),
    )
)
def test_settings_are_the_same_in_another_process(settings: Settings) -> None:
    again = Settings.from_json(settings.to_json())
    assert again == settings
    assert again.ignored == settings.ignored
    assert again.to_json() == settings.to_json()


def test_settings_survive_a_command_line(tmp_path: Path) -> None:
    settings = Settings(base_directory=tmp_path / "a 'b' \"ä\" \udc80", ignored=("x",))
    code = "import sys; from engine.settings import Settings; print(Settings.from_json(sys.argv[1]).to_json())"
    root = Path(__file__).resolve().parents[2]
    told = subprocess.run([sys.executable, "-c", code, settings.to_json()], cwd=root, capture_output=True, text=True)
    assert told.stdout.strip() == settings.to_json()


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"cpu": true}', '{"extra_model_paths": [], "ignored": [], "x": 1}']
)
def test_settings_of_another_version_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--settings: expected"):
        Settings.from_json(text)


@pytest.mark.parametrize(
    "words",
    [
        "--fast",
        "--fast fp16_accumulation cublas_ops --cpu",
        "--async-offload 2",
        "--cache-lru 10",
        "--directml",
        "--default-device 0",
        "--fp8_e4m3fn-unet --fp8_e5m2-text-enc",
        "--disable-async-offload --disable-pinned-memory --enable-manager --log-stdout",
        "--cache-ram",
    ],
)
def test_a_start_command_of_comfyui_is_understood(words: str) -> None:
    found = parse([*words.split(), "--preview-size", "64"])
    assert found.preview_size == 64
    assert found.cache_ram is None
    assert found.cpu == ("--cpu" in words)
