"""GET /api/pictures: everything drawn, once each, newest first, whatever is drawn meanwhile."""

import asyncio
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from server.files import drawn
from server.protocol import files
from server.routes import gallery, view
from tests.server.routes.rooms import folders_in, serving
from tests.server.shapes import misfit

ORIENTATION = 0x0112


@pytest.fixture
def base(tmp_path):
    folders_in(tmp_path)
    return tmp_path


def save(path, seconds, size=(8, 6), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path, **options)
    os.utime(path, (seconds, seconds))


def ask(base, query="", status=200):
    async def scenario():
        async with serving(base, gallery.API_ROUTES) as client, client.get(f"/api/pictures{query}") as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    return asyncio.run(scenario())


def names(answer):
    return [each["filename"] for each in answer["pictures"]]


def test_the_newest_comes_first_from_every_sub_folder(base):
    save(base / "output/a.png", 100, size=(30, 20))
    save(base / "output/cats/2026/b.webp", 300)
    save(base / "output/c.JPG", 200, format="JPEG")
    save(base / "output/d.gif", 50, mode="L")
    save(base / "temp/e.png", 400)
    save(base / "input/f.png", 500)
    answer = ask(base)
    assert misfit(answer, files.PicturePage) is None
    assert names(answer) == ["b.webp", "c.JPG", "a.png", "d.gif"]
    assert answer["next"] is None
    first, _, third, _ = answer["pictures"]
    assert (first["subfolder"], first["type"], first["modified"]) == ("cats/2026", "output", 300_000)
    assert (third["width"], third["height"], third["size"]) == (30, 20, os.stat(base / "output/a.png").st_size)
    assert names(ask(base, "?type=input")) == ["f.png"]


def test_only_whole_pictures_are_shown(base):
    save(base / "output/a.png", 100)
    save(base / "secret.png", 100)
    (base / "output/notes.txt").write_text("x")
    (base / "output/.00000000-1-0123456789abcdef.part").touch()
    (base / "output/folder.png").mkdir()
    (base / "output/link.png").symlink_to(base / "secret.png")
    (base / "output/elsewhere").symlink_to(base)
    os.mkfifo(base / "output/pipe.png")
    assert names(ask(base)) == ["a.png"]


def test_a_picture_that_cannot_be_read_has_no_size(base):
    for name, data in (
        ("a.png", b""),
        ("b.jpg", b"\xff\xd8\xff\xe0rubbish"),
        ("c.webp", b"RIFFxxxxWEBP"),
        ("d.gif", b"x"),
    ):
        (base / "output" / name).write_bytes(data)
    answer = ask(base)
    assert len(answer["pictures"]) == 4
    assert {(each["width"], each["height"]) for each in answer["pictures"]} == {(None, None)}


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "gif"])
def test_the_size_is_that_of_the_picture(base, format):
    save(base / f"output/a.{format}", 100, size=(123, 45))
    (found,) = ask(base)["pictures"]
    assert (found["width"], found["height"]) == (123, 45)


def test_the_size_of_a_photograph_is_that_of_the_turned_one(base):
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    save(base / "output/a.jpg", 100, size=(40, 30), exif=turned)
    (found,) = ask(base)["pictures"]
    assert (found["width"], found["height"]) == (30, 40)


def test_no_picture_is_told_twice_or_left_out_while_others_are_drawn(base):
    for n in range(25):
        save(base / f"output/{n % 3}/{n:02}.png", 100 + n // 2)  # some of the same moment
    before = sorted(path.name for path in (base / "output").rglob("*.png"))

    async def scenario():
        found, cursor, pages = [], "", 0
        async with serving(base, gallery.API_ROUTES) as client:
            while cursor is not None:
                params = {"limit": "4", "before": cursor}
                async with client.get("/api/pictures", params=params) as answer:
                    body = await answer.json()
                found += names(body)
                cursor, pages = body["next"], pages + 1
                save(base / f"output/new{pages}.png", 1000 + pages)
        return found, pages

    found, pages = asyncio.run(scenario())
    assert sorted(found) == before
    assert pages == 7


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=30))
def test_any_cursor_is_answered_or_refused(base, text):
    async def scenario():
        async with (
            serving(base, gallery.API_ROUTES) as client,
            client.get("/api/pictures", params={"before": text}) as answer,
        ):
            return answer.status

    assert asyncio.run(scenario()) in (200, 400)


@pytest.mark.parametrize("query", ["?before=x", "?before=5", "?limit=0", "?limit=-1", "?type=temp", "?type=etc"])
def test_what_is_not_understood_is_refused(base, query):
    assert "error" in ask(base, query, status=400)


def test_there_is_an_end_to_what_is_asked_for(base, monkeypatch):
    monkeypatch.setattr(gallery, "MOST", 2)
    for n in range(3):
        save(base / f"output/{n}.png", n + 1)
    assert len(ask(base, "?limit=100000")["pictures"]) == 2


def test_what_is_listed_can_be_viewed(base):
    save(base / "output/a b/日本 %2F?.png", 100)

    async def scenario():
        async with serving(base, gallery.API_ROUTES, view) as client:
            async with client.get("/api/pictures") as answer:
                (found,) = (await answer.json())["pictures"]
            params = {name: found[name] for name in ("filename", "subfolder", "type")}
            async with client.get("/view", params={**params, "preview": "webp;80", "size": "256"}) as answer:
                return answer.status

    assert asyncio.run(scenario()) == 200


def test_names_that_are_no_text_are_left_out(base):
    save(base / "output/a.png", 100)
    os.link(base / "output/a.png", os.fsencode(base / "output") + b"/\xff.png")
    assert names(ask(base)) == ["a.png"]


def test_the_cursor_of_a_picture_leads_on_from_it(base):
    for n in range(3):
        save(base / f"output/{n}.png", n + 1)
    found, has_more = drawn.page(base / "output", 2)
    assert has_more
    assert [each.place.path for each in drawn.page(base / "output", 2, found[-1].cursor)[0]] == ["0.png"]
