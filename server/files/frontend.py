"""Another web page than our own editor: the static folder of a frontend package, served at / when somebody asks for it.

Nothing of it ships with this program. Source: docs/decisions/0014-foreign-frontends.md.
"""

import mimetypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from engine.errors import SettingsError

PAGE = "index.html"
SCRIPTS = "extensions/"
"""Below it stand the scripts that a frontend wants to load itself, listed by GET /extensions."""

TYPES = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
        ".map": "application/json",
        ".wasm": "application/wasm",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
        ".avif": "image/avif",
        ".ico": "image/x-icon",
        ".woff": "font/woff",
        ".woff2": "font/woff2",
        ".ttf": "font/ttf",
        ".eot": "application/vnd.ms-fontobject",
    }
)

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "connect-src 'self' data: blob:",
        "frame-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""What such a page may load and run. It may write scripts and styles into itself, as these pages and the plugins in
them do; it may speak to this server only, and no other page may put it into a frame."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """A page and its files by their address. The list is made once: no address leads elsewhere."""

    page: Path
    files: Mapping[str, Path]

    @property
    def scripts(self) -> list[str]:
        """The addresses of the scripts that the page wants to be told of."""
        return [f"/{name}" for name in sorted(self.files) if name.startswith(SCRIPTS) and name.endswith(".js")]

    @property
    def entries(self) -> Iterator[str]:
        """What its addresses begin with: "assets/", "extensions/core/", and each file beside the page."""
        return iter(sorted({_beginning(name) for name in self.files}))


def read(folder: Path) -> Frontend:
    """The frontend in a folder. Raises: SettingsError, when there is no page in it."""
    root = folder.expanduser().resolve()
    page = root / PAGE
    if not page.is_file():
        static = [each for each in (root / "static", root / "comfyui_frontend_package" / "static") if each.is_dir()]
        hint = f"; did you mean {static[0]}?" if static else "; give the static folder of a frontend package"
        raise SettingsError(f"--front-end-root {folder}: there is no {PAGE} in this folder{hint}")
    found = {
        path.relative_to(root).as_posix(): path
        for parent, _, names in os.walk(root)
        for path in (Path(parent, name) for name in names)
        if path != page and path.is_file() and path.resolve().is_relative_to(root)
    }
    return Frontend(page, MappingProxyType(found))


def type_of(name: str) -> str:
    """The content type of one of its files."""
    known = TYPES.get(os.path.splitext(name)[1].lower())
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _beginning(name: str) -> str:
    parts = name.split("/")
    depth = 2 if name.startswith(SCRIPTS) else 1
    return f"{'/'.join(parts[:depth])}/" if len(parts) > depth else name
