"""GET /api/templates: the workflows that ship, with the pictures they need."""

import asyncio
import json
import os
from pathlib import Path

import pytest

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
    assert {each["name"] for each in found} == {path.name.split(".")[0] for path in WORKFLOWS.glob("*.json")}
    assert found[0]["name"] == store.FIRST
    assert all(each["title"] and each["description"].endswith(".") for each in found)


def test_a_template_is_the_file_itself(tmp_path):
    for each in json.loads(ask(tmp_path, "/api/templates")):
        body = ask(tmp_path, f"/api{each['path']}")
        assert body == (WORKFLOWS / f"{each['name']}.editor.json").read_bytes()


def test_its_pictures_are_there_once_it_is_opened(tmp_path):
    ask(tmp_path, "/api/templates/text_to_image")
    assert list((tmp_path / "input").iterdir()) == []
    ask(tmp_path, "/api/templates/inpaint")
    (picture,) = (tmp_path / "input").iterdir()
    assert picture.read_bytes() == (WORKFLOWS / picture.name).read_bytes()


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
