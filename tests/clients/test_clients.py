"""Programs that people have, unchanged, against our server: each queues a workflow and takes its picture.

`make test` installs them (install.py). Each program is a few lines in programs/, as its README would have them: it
draws with the seed it is given and leaves its pictures in a folder.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.clients import install
from tests.test_serve import ROOT, Server, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not install.is_installed(), reason="the clients are not installed; `make test` does that"),
]

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*_program.*"))
KEEPS_NO_FILE = {"comfy_script", "stable_canvas"}  # what they give back has lost the texts inside the file
PATIENCE = 120


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as people start it, with the model that ships."""
    with serving(tmp_path_factory.mktemp("base")) as running:
        yield running


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem.removesuffix("_program"))
def test_a_program_people_have_draws_here(program: Path, server: Server, tmp_path: Path) -> None:
    name = program.stem.removesuffix("_program")
    before = set(server.ask("/history"))
    seed = 100 + PROGRAMS.index(program)  # its own, or the result would be there already
    printed = _run(program, server.address, tmp_path, seed)
    drawn = {job: entry for job, entry in server.ask("/history").items() if job not in before}
    assert drawn, f"it queued nothing and said: {printed}"
    assert all(entry["status"]["status_str"] == "success" for entry in drawn.values())
    assert {_seed(entry["prompt"][2]) for entry in drawn.values()} == {seed}
    pictures = sorted(tmp_path.glob("*.png"))
    if name == "comfy_cli":
        assert next(iter(drawn)) in printed
        return
    assert pictures, f"it fetched no picture and said: {printed}"
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.size == (128, 128)
            if name not in KEEPS_NO_FILE:
                assert _seed(json.loads(picture.info["prompt"])) == seed


def _run(program: Path, address: str, folder: Path, seed: int) -> str:
    (folder / "home").mkdir()
    environment = {**os.environ, "HOME": str(folder / "home"), "DO_NOT_TRACK": "1", "COMFY_BASE_URL": address}
    if program.suffix == ".py":
        command = [str(install.PYTHON), str(program)]
    else:
        beside_its_packages = install.CLIENTS / program.name
        beside_its_packages.write_bytes(program.read_bytes())
        command = [str(install.NODE), str(beside_its_packages)]
    workflow = ROOT / "workflows" / "text_to_image.json"
    done = subprocess.run(
        [*command, address, str(workflow), str(folder), str(seed)],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, said
    return said


def _seed(prompt: dict) -> int:
    return next(node["inputs"]["seed"] for node in prompt.values() if node["class_type"] == "KSampler")
