"""The editor as it was built: the files a browser loads, and nothing else from the disk.

`web/` builds it into `server/editor`; an installed package has it there already. Source: docs/decisions/0012-editor.md.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PAGE = "index.html"
NONCE = "CSP_NONCE"
"""What the build writes wherever a nonce belongs; vite.config.ts, `html.cspNonce`."""

ROOT = "latentwire-root"
"""The name under which the page is told where /api is, if not beside it; web/src/api/request.ts reads it."""

FOLDER = Path(__file__).resolve().parent.parent / "editor"

TYPES = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".woff2": "font/woff2",
        ".woff": "font/woff",
        ".json": "application/json",
        ".txt": "text/plain; charset=utf-8",
    }
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The page, and the other files by their address. The list is made when it is read: no address leads elsewhere."""

    page: str
    files: Mapping[str, Path]

    def fresh_page(self, root: str = "./") -> tuple[str, str]:
        """The page with a nonce nobody can guess, and the Content-Security-Policy that goes with it.

        root: where the server's own addresses begin, seen from the page.
        """
        nonce = secrets.token_urlsafe(16)
        page = (
            self.page if root == "./" else self.page.replace("<head>", f'<head><meta name="{ROOT}" content="{root}">')
        )
        return page.replace(NONCE, nonce), policy(nonce)


class Shelf:
    """The bundle in a folder, read again when it was built anew; None where nothing was built. Touches the disk."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._version: tuple[int, int] | None = None
        self._bundle: Bundle | None = None

    def take(self) -> Bundle | None:
        """The bundle as it lies there now."""
        try:
            found = (self._folder / PAGE).stat()
        except OSError:
            return None
        version = (found.st_mtime_ns, found.st_ino)
        if version != self._version:
            self._bundle, self._version = read(self._folder), version
        return self._bundle


def read(folder: Path) -> Bundle | None:
    """The bundle in a folder; None when nothing was built there."""
    try:
        page = (folder / PAGE).read_text("utf-8")
    except (OSError, UnicodeError):
        return None
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return Bundle(page, MappingProxyType({name: path for name, path in found.items() if path.suffix in TYPES}))


def policy(nonce: str) -> str:
    """What the page may load and run: what came with it, and users' pictures.

    No text of a workflow can become a script or a style, whatever a mistake of ours might do with it.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' blob:",
            "media-src 'self' blob:",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
