"""The command line, as a person meets it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import main

ROOT = Path(__file__).resolve().parent.parent
GREY: dict[str, Any] = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 24, "height": 16, "batch_size": 1, "color": 0xFF0000}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {
        "class_type": "SaveImage",
        "inputs": {"images": ["2", 0], "filename_prefix": "grey"},
        "_meta": {"title": "Keep"},
    },
}


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    path = tmp_path / "grey.json"
    path.write_text(json.dumps(GREY))
    return path


def latentwire(base: Path, *arguments: object) -> int:
    command, *rest = map(str, arguments)
    return main.main([command, *rest, "--base-directory", str(base)])


def test_a_workflow_becomes_a_file_whose_path_is_printed(
    workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latentwire(tmp_path, "run", workflow) == 0
    printed = capsys.readouterr()
    path = Path(printed.out.strip())
    assert path == tmp_path / "output" / "grey_00001_.png"
    with Image.open(path) as image:
        assert image.size == (24, 16)
        assert image.getpixel((3, 3)) == (0, 255, 255)
        assert json.loads(image.info["prompt"])["3"]["class_type"] == "SaveImage"
    assert "EmptyImage (1)" in printed.err
    assert "all together" in printed.err


def test_a_workflow_finds_what_lies_beside_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = ROOT / "workflows" / "latent_tools.json"
    assert latentwire(tmp_path, "explain", shipped) == 0
    assert latentwire(tmp_path, "run", shipped, "--cpu") == 0
    assert Path(capsys.readouterr().out.splitlines()[-1]).is_file()
    assert [each.name for each in (tmp_path / "input").iterdir()] == ["latentwire_fox.latent"]


def test_a_second_run_never_overwrites_the_first(workflow: Path, tmp_path: Path) -> None:
    assert latentwire(tmp_path, "run", workflow) == 0
    first = (tmp_path / "output" / "grey_00001_.png").read_bytes()
    assert latentwire(tmp_path, "run", workflow, "--set", "EmptyImage.color=0") == 0
    assert (tmp_path / "output" / "grey_00001_.png").read_bytes() == first
    assert (tmp_path / "output" / "grey_00002_.png").exists()


def test_a_picture_is_a_workflow_and_can_be_run_again(workflow: Path, tmp_path: Path) -> None:
    assert latentwire(tmp_path, "run", workflow) == 0
    assert latentwire(tmp_path, "run", tmp_path / "output" / "grey_00001_.png", "--set", "1.width=32") == 0
    with Image.open(tmp_path / "output" / "grey_00002_.png") as image:
        assert image.size == (32, 16)


def test_inputs_are_set_by_class_title_and_id(workflow: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    settings = ["--set", "EmptyImage.height=8", "--set", "Keep.filename_prefix=sub/name", "--set", "1.width=0x28"]
    assert latentwire(tmp_path, "run", workflow, *settings, "--output-directory", elsewhere) == 0
    with Image.open(elsewhere / "sub" / "name_00001_.png") as image:
        assert image.size == (40, 8)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("EmptyImage.width", "NODE.INPUT=VALUE"),
        ("width=3", "NODE.INPUT"),
        ("Nobody.width=3", "no node has the id, title or class 'Nobody'"),
        ("EmptyImage.wide=3", "no input 'wide'"),
        ("EmptyImage.width=three", "expected a value of type INT"),
        ("ImageInvert.image=3", "over a wire"),
        ("EmptyImage.width=-5", "min"),
        ("SaveImage.filename_prefix=../../escape", "must name a place below"),
    ],
)
def test_a_setting_that_cannot_be_is_explained(
    setting: str, words: str, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latentwire(tmp_path, "run", workflow, "--set", setting) == 1
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.png"))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2]", b"3", b'{"a": 1}', b'{"nodes": 5}', b"\x89PNG\r\n\x1a\n", b"\x00" * 100, b"[" * 100_000],
)
def test_rubbish_is_refused_in_one_readable_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    assert latentwire(tmp_path, "run", path) == 1
    said = capsys.readouterr().err
    assert said.startswith("latentwire: ")
    assert "Traceback" not in said


def test_every_problem_of_a_graph_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 0, "height": "many", "batch_size": 1, "color": 0}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 3]}},
    }
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    assert latentwire(tmp_path, "run", path) == 1
    said = capsys.readouterr().err
    for words in ("input width", "input height", "node 2", "input images"):
        assert words in said


def test_a_misspelt_class_names_its_neighbours(
    workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = {**GREY, "2": {"class_type": "ImageInvrt", "inputs": {"image": ["1", 0]}}}
    workflow.write_text(json.dumps(graph))
    assert latentwire(tmp_path, "run", workflow) == 1
    assert "ImageInvert" in capsys.readouterr().err


def test_nodes_lists_them_and_explains_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert latentwire(tmp_path, "nodes") == 0
    assert "KSampler" in capsys.readouterr().out
    assert latentwire(tmp_path, "nodes", "KSampler") == 0
    said = capsys.readouterr().out
    for words in ("model", "MODEL", "seed", "INT", "euler", "LATENT"):
        assert words in said
    assert latentwire(tmp_path, "nodes", "KSamplr") == 1
    assert "KSampler" in capsys.readouterr().err


def test_explain_says_order_types_and_what_is_cached_without_running(
    workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert latentwire(tmp_path, "explain", workflow) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["EmptyImage", "ImageInvert", "SaveImage"]
    assert "IMAGE" in lines[0]
    assert "runs" in lines[0]
    assert not list(tmp_path.rglob("*.png"))


def test_a_workflow_comes_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(GREY).encode())))
    assert latentwire(tmp_path, "run", "-") == 0
    assert (tmp_path / "output" / "grey_00001_.png").exists()


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, main\ntry: main.main(['--help'])\nexcept SystemExit: pass\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.skipif(os.name == "nt", reason="signals work differently there")
def test_ctrl_c_stops_the_run_with_status_130_and_leaves_no_half_picture(tmp_path: Path) -> None:
    """A picture that takes long: 10,000 steps of the smallest graph with a sampler."""
    long = json.loads((ROOT / "workflows" / "text_to_image.json").read_text())
    long["3"]["inputs"]["steps"] = 10_000
    path = tmp_path / "long.json"
    path.write_text(json.dumps(long))
    process = subprocess.Popen(
        [sys.executable, "main.py", "run", str(path), "--output-directory", str(tmp_path / "out"), "--cpu"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    seen = ""
    while "KSampler" not in seen:
        character = process.stderr.read(1)
        assert character, seen
        seen += character
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    assert not list((tmp_path / "out").rglob("*.png"))


@pytest.mark.skipif(os.name == "nt", reason="pipes end differently there")
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} main.py nodes | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_terminal_that_knows_only_ascii_is_no_error(workflow: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    arguments = ["explain", str(workflow), "--base-directory", str(tmp_path)]
    command = [sys.executable, "main.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "\\u2192" in done.stdout


def test_a_long_setting_is_shown_cut(workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert latentwire(tmp_path, "run", workflow, "--set", "EmptyImage.width=" + "[" * 100_000) == 1
    assert len(capsys.readouterr().err) < 1_000
