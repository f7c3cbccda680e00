"""The editor's files: served with a policy that lets nothing else run, and never a file beside them."""

import asyncio
import re

import pytest

from server.files import bundle
from server.routes import editor
from tests.server.routes.rooms import serving

PAGE = (
    '<html><head><meta property="csp-nonce" nonce="CSP_NONCE">'
    '<script src="./assets/index-1.js" nonce="CSP_NONCE"></script></head></html>'
)


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "editor"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "icon.svg").write_text("<svg/>")
    (folder / "assets" / "index-1.js").write_text("1")
    (folder / "assets" / "secret.py").write_text("1")
    (tmp_path / "outside.js").write_text("1")
    return folder


def ask(tmp_path, folder, *paths):
    async def asked():
        async with serving(tmp_path, editor, editor=bundle.Shelf(folder)) as client:
            answers = []
            for path in paths:
                async with client.get(path) as answer:
                    answers.append((answer.status, dict(answer.headers), await answer.text()))
            return answers

    return asyncio.run(asked())


def test_the_page_has_a_nonce_of_its_own_at_each_request(tmp_path, built):
    (_, first_headers, first), (_, _, second) = ask(tmp_path, built, "/", "/")
    nonce = re.search(r'nonce="([^"]+)"', first)[1]
    assert first.count(nonce) == 2
    assert bundle.NONCE not in first
    assert first != second
    assert f"script-src 'self' 'nonce-{nonce}'" in first_headers["Content-Security-Policy"]
    assert "no-store" in first_headers["Cache-Control"]


def test_the_policy_lets_no_inline_code_run(tmp_path, built):
    policy = ask(tmp_path, built, "/")[0][1]["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert "frame-ancestors 'none'" in policy


def test_files_with_their_content_in_the_name_are_kept_for_ever(tmp_path, built):
    status, headers, text = ask(tmp_path, built, "/assets/index-1.js")[0]
    assert (status, text) == (200, "1")
    assert headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in headers["Cache-Control"]


@pytest.mark.parametrize(
    "path", ["/assets/secret.py", "/assets/..%2F..%2Foutside.js", "/assets/nothing.js", "/assets/index.html"]
)
def test_nothing_but_the_editors_own_files_is_served(tmp_path, built, path):
    status, _, text = ask(tmp_path, built, path)[0]
    assert status == 404
    assert "error" in text


def test_without_a_built_editor_the_page_says_how_to_get_one(tmp_path):
    (status, headers, text), (missing, _, _) = ask(tmp_path, tmp_path / "nothing", "/", "/icon.svg")
    assert status == 200
    assert "web/build.py" in text
    assert headers["Content-Type"].startswith("text/plain")
    assert missing == 404


def test_an_editor_built_while_the_server_runs_is_served(tmp_path, built):
    shelf = bundle.Shelf(built)
    assert "assets/index-1.js" in shelf.take().files
    (built / "assets" / "index-1.js").unlink()
    (built / "assets" / "index-2.js").write_text("2")
    replaced = built / "new.html"
    replaced.write_text(PAGE.replace("index-1", "index-2"))
    replaced.replace(built / "index.html")
    assert set(shelf.take().files) == {"assets/index-2.js", "icon.svg"}
    assert "index-2" in shelf.take().page
