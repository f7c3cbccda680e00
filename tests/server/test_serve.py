"""https: with a key and a certificate, and not with half of that."""

import argparse
import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from engine.errors import SettingsError
from server import settings
from server.serve import _tls


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A key and a certificate for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {key} -out {certificate}"
    words = [*words.split(), "-addext", "subjectAltName=IP:127.0.0.1"]
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return key, certificate


def read(*words):
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    return settings.from_namespace(parser.parse_args([*map(str, words)]))


def test_it_speaks_https_to_who_trusts_the_certificate(pair):
    key, certificate = pair
    context = _tls(read("--tls-keyfile", key, "--tls-certfile", certificate))
    trusting = ssl.create_default_context(cafile=certificate)

    async def scenario():
        async def hello(reader, writer):
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            data = await reader.read()
            writer.close()
            return data

    assert asyncio.run(scenario()) == b"hello"


def test_without_both_it_is_http():
    assert _tls(read()) is None


@pytest.mark.parametrize("name", ["--tls-keyfile", "--tls-certfile"])
def test_one_without_the_other_is_refused(pair, name):
    with pytest.raises(SettingsError, match="expected both"):
        _tls(read(name, pair[0]))


def test_what_is_no_key_is_refused_by_name(pair, tmp_path):
    (tmp_path / "key.pem").write_text("none")
    for key in (tmp_path / "key.pem", Path("/nowhere/key.pem")):
        with pytest.raises(SettingsError, match=r"--tls-keyfile .*key\.pem: cannot be used"):
            _tls(read("--tls-keyfile", key, "--tls-certfile", pair[1]))


def test_options_of_pages_and_people_are_read():
    found = read("--front-end-root", "x/static", "--multi-user", "--enable-compress-response-body")
    assert (found.front_end_root, found.multi_user, found.enable_compress_response_body) == (
        Path("x/static"),
        True,
        True,
    )
    assert not read().multi_user


def test_options_of_comfyuis_server_about_other_things_are_taken():
    words = ["--front-end-version", "Comfy-Org/ComfyUI_frontend@latest", "--default-hashing-function", "md5"]
    assert read(*words, "--database-url", "sqlite:///x", "--comfy-api-base", "x") == read()
