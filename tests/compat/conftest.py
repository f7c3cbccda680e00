"""What tests of the annexe share: a host over tiny models, with ComfyUI's module names in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat import host as hosts
from compat.host import Host
from compat.install import furnish, install, services
from engine.settings import Settings
from latentwire import Engine
from tests.nodes.conftest import models as tiny_models  # noqa: F401 -- a fixture: models/ with tiny.safetensors each


class Post:
    """An outbox that keeps what was sent: (event, data, client)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str | int, Any, str | None]] = []

    def send(self, event: str | int, data: Any, sid: str | None = None) -> None:
        self.sent.append((event, data, sid))


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def host(tmp_path: Path, tiny_models: Path, post: Post) -> Iterator[Host]:  # noqa: F811 -- the fixture of that name
    """An engine on the CPU whose base folder has input, output, temp, custom_nodes and tiny SD1-shaped models."""
    base = tmp_path / "base"
    for name in ("input", "output", "custom_nodes", "user"):
        (base / name).mkdir(parents=True)
    (base / "models").symlink_to(tiny_models, target_is_directory=True)
    engine = Engine(Settings(base_directory=base, cpu=True), services=services())
    before = hosts.host() if hosts.is_installed() else None
    made = install(engine, post)
    furnish(made)
    yield made
    engine.close()
    hosts.settle(before)
