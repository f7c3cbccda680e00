"""Another frontend at /: its files, nothing beside them, a policy of its own; our editor stays below /latentwire."""

import asyncio

import pytest

from engine.errors import SettingsError
from server.files import frontend as frontends
from server.files.frontend_nodes import added
from server.routes import editor, frontend
from tests.server.client import Serve
from tests.server.routes.rooms import folders_in


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "frontend"
    for name, text in {
        "index.html": "<p>theirs</p>",
        "assets/index-1.js": "1",
        "assets/deep/font.woff2": "f",
        "scripts/app.js": "app",
        "extensions/core/clip.js": "c",
        "build.json": "{}",
        "assets/a b%.mjs": "odd",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "secret.js").write_text("secret")
    (root / "assets" / "out.js").symlink_to(tmp_path / "secret.js")
    return root


def ask(serve, *paths, **options):
    async def scenario():
        found = []
        async with serve(wait=False, **options) as client:
            for path in paths:
                async with client.get(path, allow_redirects=False) as answer:
                    found.append((answer.status, answer.headers, await answer.text()))
        return found

    return asyncio.run(scenario())


def test_its_page_and_files_are_served_with_their_types(serve: Serve, folder):
    paths = ("/", "/assets/index-1.js", "/assets/deep/font.woff2", "/scripts/app.js", "/extensions/core/clip.js")
    found = ask(serve, *paths, "/build.json", "/assets/a%20b%25.mjs", front_end_root=folder)
    assert [each[0] for each in found] == [200] * 7
    assert [each[2] for each in found] == ["<p>theirs</p>", "1", "f", "app", "c", "{}", "odd"]
    types = [each[1]["Content-Type"].partition(";")[0] for each in found]
    js = "text/javascript"
    assert types == ["text/html", js, "font/woff2", js, js, "application/json", js]
    assert "no-store" in found[0][1]["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "/assets/out.js",
        "/assets/../../secret.js",
        "/assets/%2e%2e/%2e%2e/secret.js",
        "/assets/..%2f..%2fsecret.js",
        "/secret.js",
        "/assets/index.html",
        "/assets/",
        "/assets/none.js",
    ],
)
def test_nothing_but_its_own_files_is_served(serve: Serve, folder, path):
    ((status, _, text),) = ask(serve, path, front_end_root=folder)
    assert status == 404
    assert "secret" not in text.replace("secret.js", "")


def test_each_page_has_its_own_policy(serve: Serve, folder):
    theirs, ours = ask(serve, "/", "/latentwire/", front_end_root=folder)
    policy = theirs[1]["Content-Security-Policy"]
    assert "connect-src 'self' data: blob:" in policy  # no word to anybody else
    assert "frame-ancestors 'self'" in policy
    assert "object-src 'none'" in policy
    assert "*" not in policy
    if "Content-Security-Policy" in ours[1]:  # the editor has been built
        assert "unsafe" not in ours[1]["Content-Security-Policy"]
        assert '<meta name="latentwire-root" content="../">' in ours[2]
    assert "theirs" not in ours[2]


def test_its_page_has_a_second_name(serve: Serve, folder):
    page, again = ask(serve, "/", "/index.html?token=x", front_end_root=folder)
    assert (again[0], again[2]) == (200, "<p>theirs</p>")
    for header in ("Content-Type", "Content-Security-Policy", "Cache-Control"):
        assert again[1][header] == page[1][header]


def test_the_editor_is_at_both_places_without_another(serve: Serve):
    at_root, below, beside = ask(serve, "/", "/latentwire/", "/latentwire?token=x")
    assert at_root[0] == below[0] == 200
    assert "latentwire-root" not in at_root[2]
    assert (beside[0], beside[1]["Location"]) == (308, "latentwire/?token=x")


def test_the_api_is_not_hidden_by_a_frontends_files(serve: Serve, folder):
    found = ask(serve, "/prompt", "/api/prompt", "/features", front_end_root=folder)
    assert [each[0] for each in found] == [200] * 3


def test_its_scripts_are_told_to_the_page(folder):
    assert frontends.read(folder).scripts == ["/extensions/core/clip.js"]


def test_a_folder_without_a_page_is_refused_with_a_hint(tmp_path):
    (tmp_path / "comfyui_frontend_package" / "static").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"index\.html.*did you mean .*static"):
        frontends.read(tmp_path)
    with pytest.raises(SettingsError, match="static folder of a frontend package"):
        frontends.read(tmp_path / "absent")


def test_routes_are_its_beginnings_only(folder):
    assert [each.path for each in frontend.routes(frontends.read(folder))] == [
        "/",
        "/index.html",
        "/assets/{name:.+}",
        "/build.json",
        "/extensions/core/{name:.+}",
        "/scripts/{name:.+}",
    ]
    assert {each.path for each in editor.ALWAYS} >= {"/latentwire/", "/favicon.ico"}


PAGE = {"Sec-Fetch-Site": "same-origin", "Referer": "http://127.0.0.1/"}


def test_only_the_foreign_page_is_told_of_nodes_it_cannot_do_without(serve: Serve, folder):
    async def scenario():
        found = []
        async with serve(front_end_root=folder) as client:
            for headers in (PAGE, {}, {**PAGE, "Referer": "http://127.0.0.1/latentwire/"}):
                async with client.get("/object_info", headers=headers) as answer:
                    found.append(await answer.json())
            prompt = {"1": {"class_type": "UNETLoader", "inputs": {"unet_name": "a"}}}
            async with client.post("/prompt", json={"prompt": prompt}) as answer:
                return found, (await answer.json())["error"]["type"]

    (page, program, ours), refusal = asyncio.run(scenario())
    assert page.keys() - program.keys() == {
        "ImageOnlyCheckpointLoader",
        "UNETLoader",
        "UpscaleModelLoader",
        "StyleModelLoader",
        "GLIGENLoader",
    }
    assert page["UNETLoader"]["deprecated"] is True
    assert "not available" in page["UNETLoader"]["display_name"]
    assert program == ours
    assert refusal == "missing_node_type"


def test_a_node_that_is_there_is_not_told_of_as_missing(tmp_path):
    folders = folders_in(tmp_path)
    known = {"ImageOnlyCheckpointLoader", "UNETLoader", "UpscaleModelLoader", "StyleModelLoader", "GLIGENLoader"}
    assert added(b'{"a":{}}', known, folders) == b'{"a":{}}'
    assert added(b'{"a":{}}', known - {"GLIGENLoader"}, folders).startswith(b'{"GLIGENLoader":')
    assert added(b'{"a":{}}', known - {"GLIGENLoader"}, folders).endswith(b',"a":{}}')
