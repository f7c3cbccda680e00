"""The packages that the icons come from: fetched with npm at pinned versions and checked by sha512.

The lock beside this room (`data/icon_packages.lock.json`) names each package, its version, licence and hash. Nothing
that differs from its hash is ever opened.
"""

import base64
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import TrainingError

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Package:
    """One line of the lock."""

    name: str
    version: str
    license: str
    file: str
    integrity: str


@dataclass(frozen=True)
class Packages:
    """Opens packages by name, fetching what is not in `folder` yet."""

    folder: Path
    lock: tuple[Package, ...]

    def path(self, name: str) -> Path:
        """The checked tarball of a package.

        Raises: TrainingError when it cannot be fetched or is not what the lock says.
        """
        package = self._find(name)
        path = self.folder / package.file
        if not path.exists():
            fetch(package, self.folder)
        check(path, package)
        return path

    def files(self, name: str, suffix: str = "") -> Iterator[tuple[str, bytes]]:
        """Every file of a package whose path ends in `suffix`: its path inside the package, and its bytes."""
        with tarfile.open(self.path(name)) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None and member.name.endswith(suffix):
                    yield member.name.removeprefix("package/"), stream.read()

    def json(self, name: str, path: str) -> object:
        """One JSON file of a package, parsed."""
        for found, content in self.files(name, path):
            if found == path:
                return json.loads(content)
        raise TrainingError(f"{name}: expected a file {path} inside, found none; the lock may name a wrong version")

    def _find(self, name: str) -> Package:
        for package in self.lock:
            if package.name == name:
                return package
        raise TrainingError(f"{name}: not in the lock; add it with its version and sha512")


def read_lock(path: Path = DATA / "icon_packages.lock.json") -> tuple[Package, ...]:
    """The pinned packages."""
    fields = Package.__dataclass_fields__
    return tuple(Package(**{key: entry[key] for key in fields}) for entry in json.loads(path.read_text("utf-8")))


def fetch(package: Package, folder: Path) -> None:
    """Download a package's tarball into `folder` with npm, under the lock's file name.

    Raises: TrainingError when npm is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"{package.name}@{package.version}"
    command = ["npm", "pack", wanted, "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    except FileNotFoundError as error:
        raise TrainingError("npm: not found; install Node.js, the icon packages are fetched with it") from error
    except subprocess.TimeoutExpired as error:
        raise TrainingError(f"{wanted}: npm did not answer within ten minutes; try again") from error
    if done.returncode or not (folder / package.file).exists():
        raise TrainingError(f"{wanted}: npm could not fetch it: {(done.stderr or done.stdout).strip()[-300:]}")


def check(path: Path, package: Package) -> None:
    """Refuse a file that is not, byte for byte, the package of the lock.

    Raises: TrainingError naming both hashes.
    """
    digest = hashlib.sha512(path.read_bytes()).digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != package.integrity:
        raise TrainingError(
            f"{path.name}: expected {package.integrity}, found {found}; delete the file to fetch it again"
        )
