"""Whoever listens beyond this computer has a token, which nobody else on it can read."""

import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from engine.errors import SettingsError
from server.requests.security import check_binding
from server.settings import ServerSettings
from server.token_file import NAME, settle
from tests.server.chaos.served import ROOT, TOY

BEYOND = ("0.0.0.0", "::", "192.168.1.7", "art.example")


@pytest.mark.parametrize("listen", BEYOND)
def test_a_token_is_made_kept_and_the_same_the_next_time(tmp_path: Path, listen: str) -> None:
    user = tmp_path / "user"
    first = settle(ServerSettings(listen=listen), user)
    again = settle(ServerSettings(listen=listen), user)
    token = first.settings.token
    assert token is not None
    assert len(token) >= 40
    assert again.settings.token == token == (user / NAME).read_text().strip()
    check_binding(again.settings)
    assert token in "".join(first.told())
    assert token not in "".join(again.told())
    assert str(user / NAME) in "".join(again.told())


def test_two_servers_have_two_tokens(tmp_path: Path) -> None:
    tokens = {settle(ServerSettings(listen="::"), tmp_path / each).settings.token for each in "ab"}
    assert len(tokens) == 2


@pytest.mark.skipif(os.name != "posix", reason="rights of files are said otherwise there")
def test_only_its_owner_can_read_the_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = os.umask(0)
    try:
        settle(ServerSettings(listen="::"), tmp_path)
    finally:
        os.umask(before)
    file = tmp_path / NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        settle(ServerSettings(listen="::"), tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "others" in caplog.text
    assert file.read_text().strip() not in caplog.text


@pytest.mark.parametrize("listen", ["127.0.0.1", "localhost", "::1"])
def test_this_computer_alone_needs_none(tmp_path: Path, listen: str) -> None:
    settled = settle(ServerSettings(listen=listen), tmp_path)
    assert settled.settings.token is None
    assert settled.told() == []
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("listen", ["127.0.0.1", "0.0.0.0"])
def test_a_token_that_was_given_counts_and_is_not_written(tmp_path: Path, listen: str) -> None:
    settled = settle(ServerSettings(listen=listen, token="mine"), tmp_path)
    assert settled.settings.token == "mine"
    assert settled.told() == []
    assert not (tmp_path / NAME).exists()


def test_it_can_be_switched_off_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        settled = settle(ServerSettings(listen="0.0.0.0", no_token=True), tmp_path)
    assert settled.settings.token is None
    assert "--no-token" in caplog.text
    check_binding(settled.settings)
    with pytest.raises(SettingsError, match="one of both"):
        settle(ServerSettings(no_token=True, token="t"), tmp_path)


@pytest.mark.parametrize("text", [b"", b"short\n", b"\xff" * 40, b"with a line\x00 break and so on"])
def test_a_file_that_holds_no_token_is_refused_and_named(tmp_path: Path, text: bytes) -> None:
    (tmp_path / NAME).write_bytes(text)
    with pytest.raises(SettingsError, match=re.escape(str(tmp_path / NAME))):
        settle(ServerSettings(listen="0.0.0.0"), tmp_path)


def test_a_folder_in_its_place_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(SettingsError, match="--token"):
        settle(ServerSettings(listen="0.0.0.0"), tmp_path)


def _served(base: Path, *options: str) -> tuple[subprocess.Popen[str], list[str]]:
    """A server with the toy worker, and what it said first."""
    environment = {**os.environ, "LATENTWIRE_WORKER_COMMAND": f'["{TOY[0]}", "{TOY[1]}", "--base-directory", "{base}"]'}
    command = [sys.executable, str(ROOT / "main.py"), "serve", "--port", "0", "--base-directory", str(base), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip() for _ in range(2 if "0.0.0.0" in options else 1)]
    return process, lines


def _status(address: str, headers: dict[str, str]) -> int:
    try:
        with urlopen(Request(f"{address}/prompt", headers=headers), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def test_it_is_printed_the_first_time_only_and_is_in_no_log(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        process, lines = _served(tmp_path, "--listen", "0.0.0.0")
        try:
            port = lines[0].rpartition(":")[2]
            token = (tmp_path / "user" / NAME).read_text().strip()
            address = f"http://127.0.0.1:{port}"
            assert _status(address, {}) == 401
            assert _status(address, {"X-Token": "wrong"}) == 401
            assert _status(address, {"X-Token": token}) == 200
            assert _status(f"{address}", {"Authorization": f"Bearer {token}"}) == 200
            logs = urlopen(Request(f"{address}/internal/logs", headers={"X-Token": token})).read().decode()
        finally:
            process.terminate()
            out, err = process.communicate(timeout=60)
        assert token not in err
        assert token not in logs
        said.append("\n".join([*lines, out]))
    assert said[0].count(token) == 1
    assert token not in said[1]
    assert str(tmp_path / "user" / NAME) in said[1]
