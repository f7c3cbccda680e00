"""GET /api/templates, /templates: the workflows that ship, with the pictures they need, and those of packages."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from server.files import template_packs
from server.files import templates as store
from server.protocol import files
from server.routes import templates
from tests.server.routes.rooms import serving
from tests.server.shapes import misfit

WORKFLOWS = Path(__file__).resolve().parents[3] / "workflows"


def ask(base, path, status=200, source=WORKFLOWS):
    if not (base / "workflows").exists():
        (base / "workflows").symlink_to(source)

    async def scenario():
        async with serving(base, templates.API_ROUTES) as client, client.get(path) as answer:
            assert answer.status == status, await answer.text()
            return await answer.read()

    return asyncio.run(scenario())


def test_every_workflow_that_ships_is_a_template_with_words_about_it(tmp_path):
    found = json.loads(ask(tmp_path, "/api/templates"))
    assert [misfit(each, files.Template) for each in found] == [None] * len(found)
    assert {each["name"] for each in found} == {path.name.split(".")[0] for path in WORKFLOWS.rglob("*.json")}
    assert found[0]["name"] == store.FIRST
    own = {path.name.split(".")[0] for path in (WORKFLOWS / store.WITH_OWN_FILES).glob("*.json")}
    assert len({each["name"] for each in found}) == len(found)
    assert {each["name"] for each in found[-len(own) :]} == own == {each["name"] for each in found if each["needs"]}
    assert all(each["title"] and each["description"].endswith(".") for each in found)


def test_a_template_is_the_file_itself(tmp_path):
    for each in json.loads(ask(tmp_path, "/api/templates")):
        body = ask(tmp_path, f"/api{each['path']}")
        (file,) = WORKFLOWS.rglob(f"{each['name']}.editor.json")
        assert body == file.read_bytes()


def test_its_pictures_are_there_once_it_is_opened(tmp_path):
    ask(tmp_path, "/api/templates/text_to_image")
    assert list((tmp_path / "input").iterdir()) == []
    ask(tmp_path, "/api/templates/inpaint")
    (picture,) = (tmp_path / "input").iterdir()
    assert picture.read_bytes() == (WORKFLOWS / picture.name).read_bytes()


def test_what_a_template_draws_is_shown_where_it_needs_nothing(tmp_path):
    assert ask(tmp_path, "/api/templates/inpaint/picture") == (WORKFLOWS / "inpaint.webp").read_bytes()
    for name in ("upscale_model", "absent", "..%2Finpaint"):
        assert b"there is no picture of a template" in ask(tmp_path, f"/api/templates/{name}/picture", 404)


def test_somebody_elses_picture_of_that_name_stays(tmp_path):
    (tmp_path / "input").mkdir()
    (tmp_path / "input/latentwire_fox.png").write_bytes(b"mine")
    ask(tmp_path, "/api/templates/inpaint")
    assert (tmp_path / "input/latentwire_fox.png").read_bytes() == b"mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_template_opens_where_nothing_can_be_written(tmp_path):
    (tmp_path / "input").mkdir(mode=0o500)
    assert b"LoadImage" in ask(tmp_path, "/api/templates/inpaint")


def test_a_template_opens_where_no_input_folder_can_be(tmp_path):
    async def scenario():
        async with serving(tmp_path, templates.API_ROUTES) as client:
            (tmp_path / "input").rmdir()
            (tmp_path / "input").write_text("a file")
            async with client.get("/api/templates/inpaint") as answer:
                return answer.status

    (tmp_path / "workflows").symlink_to(WORKFLOWS)
    assert asyncio.run(scenario()) == 200


@pytest.mark.parametrize("name", ["absent", "..%2Ftext_to_image", "text_to_image.editor.json", "%2Fetc%2Fpasswd"])
def test_what_is_no_template_is_not_found(tmp_path, name):
    assert b"there is no template" in ask(tmp_path, f"/api/templates/{name}", 404)


def test_files_that_are_no_templates_are_left_out(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    about = {"title": "T", "description": "D.", "inputs": ["../secret.png", 5, "a/b.png", "ok.png"]}
    (folder / "good.editor.json").write_text(json.dumps({"extra": {"latentwire": about}}))
    for name, text in (
        ("a", "{"),
        ("b", "[]"),
        ("c", '{"extra": {}}'),
        ("d", '{"extra": {"latentwire": {"title": 1}}}'),
    ):
        (folder / f"{name}.editor.json").write_text(text)
    (found,) = store.read_all(folder)
    assert (found.name, found.inputs) == ("good", ("ok.png",))
    assert ask(tmp_path, "/api/templates", source=tmp_path / "nowhere") == b"[]"


def test_the_workflows_are_found_beside_the_program():
    assert store.shipped() == WORKFLOWS


def pack_in(base):
    """A package as those of comfyui-workflow-templates are laid out."""
    for name, text in {
        "comfyui_workflow_templates_json/templates/index.json": '[{"title": "Theirs", "templates": []}]',
        "comfyui_workflow_templates_json/templates/index.zh.json": '[{"title": "他们的", "templates": []}]',
        "comfyui_workflow_templates_json/templates/a.json": "{}",
        "comfyui_workflow_templates_media/templates/output/a.webp": "w",
        "comfyui_workflow_templates_media/templates/a.html": "<script>",
        "comfyui_workflow_templates_json/secret.py": "secret",
    }.items():
        path = base / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return template_packs.find([str(base / "site")])


def listed(base, monkeypatch, packs, *paths):
    monkeypatch.setattr(template_packs, "installed", lambda: packs)

    async def scenario():
        found = []
        async with serving(base, templates.BARE_ROUTES) as client:
            for path in paths:
                async with client.get(f"/templates/{path}") as answer:
                    found.append((answer.status, answer.headers, await answer.read()))
        return found

    return asyncio.run(scenario())


@pytest.fixture
def ours(tmp_path):
    folder = tmp_path / "workflows"
    (folder / store.WITH_OWN_FILES).mkdir(parents=True)
    needing = {"title": "Enlarge", "description": "Enlarges.", "needs": ["upscale_models/x4.pth", 4]}
    (folder / store.WITH_OWN_FILES / "enlarge.editor.json").write_text(json.dumps({"extra": {"latentwire": needing}}))
    about = {"title": "Draw", "description": "Draws.", "inputs": ["fox.png"]}
    (folder / "draw.editor.json").write_text(json.dumps({"nodes": [], "extra": {"latentwire": about}}))
    (folder / "draw.webp").write_bytes(b"webp")
    (folder / "fox.png").write_bytes(b"fox")
    return tmp_path


def test_the_list_of_the_web_page_begins_with_what_ships(ours, monkeypatch):
    packs = pack_in(ours)
    for name, title in {"index.json": "Theirs", "index.zh.json": "他们的", "index.fr.json": "Theirs"}.items():
        ((status, headers, data),) = listed(ours, monkeypatch, packs, name)
        assert (status, headers["Cache-Control"]) == (200, "no-cache")
        first, second = json.loads(data)
        assert [each["name"] for each in first["templates"]] == ["latentwire_draw"]  # the other one needs a file
        assert second["title"] == title


def test_without_a_package_there_is_what_ships(ours, monkeypatch):
    nothing = template_packs.find([])
    found = listed(ours, monkeypatch, nothing, "index.json", "index_logo.json", "a.json", "index.py.json.bak")
    assert [status for status, _, _ in found] == [200, 200, 404, 404]
    assert len(json.loads(found[0][2])) == 1
    assert nothing.version is None


def test_a_template_that_ships_comes_with_its_pictures(ours, monkeypatch):
    packs = template_packs.find([])
    workflow, picture, none = listed(
        ours, monkeypatch, packs, "latentwire_draw.json", "latentwire_draw-1.webp", "latentwire_x.json"
    )
    assert json.loads(workflow[2])["extra"]["latentwire"]["title"] == "Draw"
    assert (ours / "input" / "fox.png").read_bytes() == b"fox"
    assert (picture[1]["Content-Type"], picture[2]) == ("image/webp", b"webp")
    assert none[0] == 404


def test_a_packages_files_are_served_inert_and_nothing_beside_them(ours, monkeypatch):
    names = ("a.json", "output/a.webp", "a.html", "../secret.py", "%2e%2e/secret.py")
    found = listed(ours, monkeypatch, pack_in(ours), *names)
    assert [status for status, _, _ in found] == [200, 200, 200, 404, 404]
    assert found[2][1]["Content-Type"] == "application/octet-stream"
    assert "sandbox" in found[2][1]["Content-Security-Policy"]


def test_every_workflow_that_runs_with_what_ships_has_a_picture():
    for each in store.read_all(store.shipped()):
        assert each.needs or each.picture.read_bytes()[8:12] == b"WEBP", each.name
