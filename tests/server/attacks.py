"""What attackers send, and how a test sees whether it did harm."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import FormData

from server import keys
from tests.server.client import Client
from tests.server.quiet import quiet

SECRET = "the contents of a file that is nobody's business"

SCRIPT = "<script>alert(document.domain)</script>"
PAGES = {
    "x.html": f"<html><body>{SCRIPT}</body></html>",
    "x.HTM": SCRIPT,
    "x.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{SCRIPT}</body></html>',
    "x.svg": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>',
    "x.svgz": f'<svg xmlns="http://www.w3.org/2000/svg">{SCRIPT}</svg>',
    "x.xml": '<?xml version="1.0"?><a xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(1)</h:script></a>',
    "x.xsl": '<?xml version="1.0"?><xsl:stylesheet version="1.0"/>',
    "x.js": "alert(document.domain)",
    "x.mjs": "alert(document.domain)",
    "x.css": "body { background: url(https://evil.example) }",
    "x.mht": "MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + SCRIPT,
    "x.swf": "FWS" + SCRIPT,
    "x.pdf": "%PDF-1.4 /JavaScript (app.alert(1))",
    "x.hta": SCRIPT,
    "x.wasm": "\0asm",
    "x.png": f"<html>{SCRIPT}</html>",
    "x.jpg.html": SCRIPT,
    "x.html.": SCRIPT,
    "x.txt": f"<!doctype html>{SCRIPT}",
    "x.json": f'"{SCRIPT}"',
    "x": f"<html>{SCRIPT}</html>",
}
"""Files that a browser would run, if it were told or allowed to guess that they are what they are."""

ACTIVE = ("html", "xml", "svg", "javascript", "ecmascript", "css", "pdf", "flash", "wasm", "xsl", "multipart")
"""What is in the names of content types that can act."""


READERS = (
    "/view?filename={}",
    "/view?filename={}&type=input",
    "/view?filename=x&type={}",
    "/view?filename=secret.txt&subfolder={}",
    "/view?filename={}&preview=webp",
    "/userdata/{}",
    "/userdata?dir={}",
    "/v2/userdata?path={}",
    "/view_metadata/checkpoints?filename={}",
    "/view_metadata/{}",
    "/models/{}",
    "/experiment/models/{}",
    "/experiment/models/preview/checkpoints/0/{}",
    "/experiment/models/preview/{}/0/x",
    "/internal/files/{}",
    "/extensions/pack/{}",
    "/extensions/{}",
    "/api/workflow_templates/pack/{}",
    "/api/workflow_templates/{}",
    "/templates/{}",
    "/api/templates/{}",
    "/api/templates/{}/picture",
    "/assets/{}",
    "/latentwire/assets/{}",
    "/global_subgraphs/{}",
    "/settings/{}",
    "/history/{}",
    "/api/jobs/{}",
    "/api/v2/assets/{}/content",
    "/api/v2/assets/{}",
    "/api/pictures?before={}",
    "/{}",
)
"""Every address in which a client names something, with a gap for the name."""


def ways_out(name: str) -> list[str]:
    """Names that lead two and more folders up to a file, as they stand in an address, spelled in every way known."""
    spelled = [
        f"../{name}",
        f"../../{name}",
        f"x/../../{name}",
        f"../../../../../../../../..{name}",
        f"..%2f{name}",
        f"..%2F..%2F{name}",
        f"%2e%2e/{name}",
        f"%2e%2e%2f%2e%2e%2f{name}",
        f"..%252f{name}",
        f"%252e%252e%252f{name}",
        f"..%5c{name}",
        f"..%5c..%5c{name}",
        f"..\\{name}",
        f"....//{name}",
        f"..%c0%af{name}",
        f"%c0%ae%c0%ae/{name}",
        f"..%ef%bc%8f{name}",
        f"%ef%bc%8e%ef%bc%8e/{name}",
        f"..%00/{name}",
        f"../{name}%00.png",
        f"..;/{name}",
        f"./..//{name}",
        f"file:///{name}",
        f"%2f{name}",
        f"//{name}",
        f"~/{name}",
        f"C:%5c{name}",
        f"%5c%5clocalhost%5c{name}",
        f"../{name}%20[output]",
        f"../{name}%20[input]",
        f"..%2f{name}%20%5Btemp%5D",
    ]
    return [*spelled, *(each.replace(name, f"user/{name}") for each in spelled[:6])]


@dataclass
class Victim:
    """A server with something to lose: `base` holds its folders, `outside` what no client may read or change."""

    client: Client
    base: Path

    @property
    def outside(self) -> list[Path]:
        return [self.base / "secret.txt", self.base / "user" / "secret.txt", self.base / "models" / "secret.txt"]

    def elsewhere(self) -> Mapping[str, str]:
        """Every file but those in the folders that clients write to, and what is in it."""
        mine = [self.base / name for name in ("input", "output", "temp", "user/default", "user/cache")]
        found = {}
        for path in sorted(self.base.rglob("*")):
            # The server's own tables change while it lives.
            is_table = path.parent == self.base / "user" and path.suffix not in ("", ".txt", ".ini", ".yaml")
            if path.is_file() and not is_table and not any(path.is_relative_to(each) for each in mine):
                found[str(path.relative_to(self.base))] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    async def raw(self, target: str, method: str = "GET", headers: str = "", body: bytes = b"") -> tuple[bytes, bytes]:
        """Sends a request as it is written here, which clients would tidy up. Returns: the head and the body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.client.port)
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        if body:
            head += f"Content-Length: {len(body)}\r\n"
        writer.write(f"{head}{headers}\r\n".encode() + body)
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        start, _, rest = answer.partition(b"\r\n\r\n")
        return start, rest

    async def upload(self, name: str, data: bytes | str, **fields: str) -> tuple[int, Any]:
        """POST /upload/image. Returns: the status and the answer."""
        return await self.send_form("/upload/image", "image", name, data, **fields)

    async def send_form(self, path: str, part: str, name: str, data: bytes | str, **fields: str) -> tuple[int, Any]:
        form = FormData(quote_fields=False)
        form.add_field(part, data.encode() if isinstance(data, str) else data, filename=name, content_type="text/html")
        for key, value in fields.items():
            form.add_field(key, value)
        async with self.client.post(path, data=form) as answer:
            return answer.status, await answer.json()

    async def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """A GET, or a POST of JSON."""
        method = "GET" if body is None else "POST"
        data = None if body is None else json.dumps(body).encode()
        async with self.client.request(method, path, data=data) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None


@asynccontextmanager
async def victim(base: Path, **serving: Any) -> AsyncIterator[Victim]:
    """A server in a folder, with a plugin that has files for browsers, and secrets beside all that it serves."""
    pack = base / "custom_nodes" / "pack"
    for name in ("js/main.js", "example_workflows/first.json", "locales/en/main.json", "subgraphs/one.json"):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        (pack / name).write_text("{}")
    for name in ("input", "output", "temp", "user/default", "models/checkpoints"):
        (base / name).mkdir(parents=True, exist_ok=True)
    async with quiet(base, **serving) as client:
        made = Victim(client, base)
        for path in [*made.outside, pack / "secret.txt", base / "custom_nodes" / "secret.txt"]:
            path.write_text(SECRET)
        record = {"name": "pack", "path": str(pack), "state": "loaded", "web": {"pack": str(pack / "js")}}
        client.app[keys.CATALOGUE].take("worker-0", {"plugins": [record], "serving": None, "handlers": 0})
        yield made


def is_inert(headers: Mapping[str, str]) -> bool:
    """Whether a browser that is sent there by a link runs nothing of what comes."""
    type = headers.get("Content-Type", "").lower()
    if any(each in type for each in ACTIVE) or not type or headers.get("X-Content-Type-Options") != "nosniff":
        return False
    return "sandbox" in headers.get("Content-Security-Policy", "") or type.startswith("application/json")


def strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
