"""What the log says while an import takes long."""

import logging
import re
import time
from pathlib import Path

import pytest

from compat.plugins import modules, patience
from engine.plugin_files import Found


def test_a_long_import_is_named_with_the_line_it_is_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "EVERY", 0.2)
    caplog.set_level(logging.WARNING)
    file = tmp_path / "slow" / "__init__.py"
    file.parent.mkdir()
    file.write_text("import time\n\ntime.sleep(0.7)\n")
    found = Found("slow", file.parent)
    with patience.waiting(found):
        modules.execute(found)
    modules.take_out(found.path)
    lines = [each.getMessage() for each in caplog.records]
    assert re.fullmatch(r"still importing slow, \d+ s \(__init__\.py, line 3\)", lines[-1])
    time.sleep(0.3)
    assert len(caplog.records) == len(lines), "nothing is said when it is done"
