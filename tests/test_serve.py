"""`latentwire serve` as a person starts it: the real server, a real worker, the model that ships."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120.0


class Server:
    """A server process and its address."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        line = process.stdout.readline() if process.stdout else ""
        found = re.fullmatch(r"Latentwire serves on (http://127\.0\.0\.1:\d+)\n", line)
        assert found, (line, process.communicate()[1])
        self.address = found[1]

    def ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.address + path, data=data), timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def ended(self, job: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            history = self.ask(f"/history/{job}")
            if job in history:
                entry: dict[str, Any] = history[job]
                return entry
            time.sleep(0.1)
        raise AssertionError(f"job {job} did not end: {self.ask('/system_stats')}")


@contextmanager
def serving(base: Path, *options: str) -> Iterator[Server]:
    command = [sys.executable, str(ROOT / "main.py"), "serve", "--port", "0", "--base-directory", str(base), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()


def children(pid: int) -> list[psutil.Process]:
    """The workers of a server, once they have been started: that happens beside the first answers."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = psutil.Process(pid).children(recursive=True)
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no worker was started")


def test_the_shipped_workflow_becomes_a_picture(tmp_path: Path) -> None:
    prompt = json.loads((ROOT / "workflows" / "text_to_image.json").read_text())
    with serving(tmp_path) as server:
        assert server.ask("/system_stats")["devices"], "answered before any worker is ready"
        job = server.ask("/prompt", {"prompt": prompt})["prompt_id"]
        entry = server.ended(job)
        assert entry["status"]["status_str"] == "success", entry["status"]
        ((shown,),) = [each["images"] for each in entry["outputs"].values() if "images" in each]
        with urlopen(f"{server.address}/view?filename={shown['filename']}&subfolder={shown['subfolder']}") as answer:
            assert answer.headers["Content-Type"] == "image/png"
            assert Image.open(answer).size == (128, 128)
        with Image.open(tmp_path / "output" / shown["filename"]) as image:
            assert json.loads(image.info["prompt"]) == prompt
            assert json.loads(image.info["latentwire"])["job"] == job


def test_ctrl_c_ends_server_and_worker_cleanly(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        workers = children(server.process.pid)
        server.process.send_signal(signal.SIGINT)
        _, errors = server.process.communicate(timeout=PATIENCE)
        assert server.process.returncode in (0, 130), errors
        assert "Traceback" not in errors
        _gone, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive


def test_killing_the_server_takes_the_worker_along(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        workers = children(server.process.pid)
        server.process.kill()
        assert not psutil.wait_procs(workers, timeout=30)[1]


def started(*options: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "main.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stderr


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with serving(tmp_path / "a") as server:
        port = server.address.rpartition(":")[2]
        status, said = started("--port", port, "--base-directory", str(tmp_path / "b"))
    assert status == 1
    assert f"--port {port}" in said
    assert "Traceback" not in said


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path):
        status, said = started("--port", "0", "--base-directory", str(tmp_path))
    assert status == 1
    assert "jobs.sqlite" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--base-directory", "/nowhere/at/all"], "--base-directory"),
        (["--listen", "0.0.0.0", "--token", " "], "--token"),
        (["--port", "99999"], "--port"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_a_wrong_option_is_named(options: list[str], named: str, tmp_path: Path) -> None:
    status, said = (
        started(*options) if "--base-directory" in options else started(*options, "--base-directory", str(tmp_path))
    )
    assert status in (1, 2)
    assert named in said
    assert "Traceback" not in said


def test_the_api_process_imports_no_torch() -> None:
    code = "import sys, main, server.compose; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
