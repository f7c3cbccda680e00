"""/userdata: files kept whole, in one folder, and never over somebody else's newer version."""

import asyncio
import errno
import os
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest

from server.files import user_data as store
from server.protocol import files
from server.routes import user_data
from tests.server.routes.rooms import serving
from tests.server.shapes import misfit


class Tab:
    """A page that keeps files. Each method answers (status, headers, body)."""

    def __init__(self, client):
        self.client = client

    async def ask(self, method, path, **options):
        async with self.client.request(method, path, **options) as answer:
            is_file = method == "GET" and "ETag" in answer.headers
            is_json = answer.content_type == "application/json" and not is_file
            return answer.status, answer.headers, await (answer.json() if is_json else answer.read())

    async def put(self, name, data, query="", **headers):
        address = f"/userdata/{quote(name, safe='')}{query}"
        return await self.ask("POST", address, data=data, headers=_names(headers))

    async def get(self, name, **headers):
        return await self.ask("GET", f"/userdata/{quote(name, safe='')}", headers=_names(headers))

    async def delete(self, name, **headers):
        return await self.ask("DELETE", f"/userdata/{quote(name, safe='')}", headers=_names(headers))

    async def move(self, name, target, query="", **headers):
        address = f"/userdata/{quote(name, safe='')}/move/{quote(target, safe='')}{query}"
        return await self.ask("POST", address, headers=_names(headers))

    async def list(self, query):
        return await self.ask("GET", f"/userdata?{query}")


def _names(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


@asynccontextmanager
async def a_tab(base):
    async with serving(base, user_data) as client:
        yield Tab(client)


def run(base, scenario):
    async def main():
        async with a_tab(base) as tab:
            return await scenario(tab)

    return asyncio.run(main())


def kept(base):
    root = base / "user" / "default"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_file_comes_back_as_it_was_kept(tmp_path):
    async def scenario(tab):
        put = await tab.put("workflows/a b.json", b'{"seed": 18446744073709551615}')
        got = await tab.get("workflows/a b.json")
        return put, got

    put, got = run(tmp_path, scenario)
    assert (put[0], put[2]) == (200, "workflows/a b.json")
    assert got[0] == 200
    assert got[1]["ETag"] == put[1]["ETag"]
    assert kept(tmp_path) == ["workflows/a b.json"]
    assert (tmp_path / "user/default/workflows/a b.json").read_bytes() == b'{"seed": 18446744073709551615}'


def test_the_answer_says_more_when_asked(tmp_path):
    status, _, body = run(tmp_path, lambda tab: tab.put("workflows/a.json", b"{}", "?full_info=true"))
    assert status == 200
    assert misfit(body, files.UserFile) is None
    assert (body["path"], body["size"]) == ("workflows/a.json", 2)
    assert abs(body["modified"] / 1000 - os.stat(tmp_path / "user/default/workflows/a.json").st_mtime) < 1


def test_the_same_bytes_have_the_same_tag_and_others_another(tmp_path):
    async def scenario(tab):
        tags = [(await tab.put("a.json", data))[1]["ETag"] for data in (b"1", b"2", b"1")]
        return tags, await tab.get("a.json", If_None_Match=tags[0]), await tab.get("a.json", If_None_Match=tags[1])

    tags, same, other = run(tmp_path, scenario)
    assert tags[0] == tags[2] != tags[1]
    assert not tags[0].startswith("W/")
    assert (same[0], other[0]) == (304, 200)


def test_a_change_of_an_older_version_is_refused_and_says_so(tmp_path):
    async def scenario(tab):
        _, headers, _ = await tab.put("workflows/a.json", b"one")
        await tab.put("workflows/a.json", b"two", If_Match=headers["ETag"])
        late = await tab.put("workflows/a.json", b"three", If_Match=headers["ETag"])
        gone = await tab.delete("workflows/a.json", If_Match=headers["ETag"])
        moved = await tab.move("workflows/a.json", "b.json", If_Match=headers["ETag"])
        return late, gone, moved, await tab.get("workflows/a.json")

    *refused, now = run(tmp_path, scenario)
    assert [each[0] for each in refused] == [412] * 3
    for each in refused:
        assert "has been changed since you opened it" in each[2]["error"]
        assert each[1]["ETag"] == now[1]["ETag"]
    assert now[2] == b"two"
    assert kept(tmp_path) == ["workflows/a.json"]


def test_a_change_of_a_file_that_is_gone_is_refused(tmp_path):
    status, headers, body = run(tmp_path, lambda tab: tab.put("a.json", b"x", If_Match='"abc"'))
    assert status == 412
    assert "has been deleted" in body["error"]
    assert "ETag" not in headers
    assert kept(tmp_path) == []


def test_a_new_file_does_not_take_the_place_of_another(tmp_path):
    async def scenario(tab):
        first = await tab.put("a.json", b"one", If_None_Match="*")
        second = await tab.put("a.json", b"two", If_None_Match="*")
        third = await tab.put("a.json", b"three", "?overwrite=false")
        await tab.put("b.json", b"b")
        moved = await tab.move("b.json", "a.json", If_None_Match="*")
        again = await tab.move("b.json", "a.json", "?overwrite=false")
        return [each[0] for each in (first, second, third, moved, again)], await tab.get("a.json")

    statuses, now = run(tmp_path, scenario)
    assert statuses == [200, 412, 409, 412, 409]
    assert now[2] == b"one"


def test_of_many_tabs_that_change_one_version_exactly_one_does(tmp_path):
    async def scenario(tab):
        _, headers, _ = await tab.put("a.json", b"start")
        tries = [tab.put("a.json", b"%d" % n * 1000, If_Match=headers["ETag"]) for n in range(40)]
        made = [tab.put("new.json", b"%d" % n, If_None_Match="*") for n in range(20)]
        answers = await asyncio.gather(*tries, *made)
        return [each[0] for each in answers], answers, await tab.get("a.json")

    statuses, answers, now = run(tmp_path, scenario)
    assert sorted(statuses[:40]) == [200] + [412] * 39
    assert sorted(statuses[40:]) == [200] + [412] * 19
    winner = answers[statuses[:40].index(200)]
    assert winner[1]["ETag"] == now[1]["ETag"]


def test_a_weak_tag_is_too_little_to_change_a_file_by(tmp_path):
    async def scenario(tab):
        _, headers, _ = await tab.put("a.json", b"one")
        return await tab.put("a.json", b"two", If_Match=f"W/{headers['ETag']}")

    assert run(tmp_path, scenario)[0] == 412


def test_deleting_and_moving(tmp_path):
    async def scenario(tab):
        await tab.put("workflows/a.json", b"a")
        moved = await tab.move("workflows/a.json", "workflows/deep/b.json")
        return (
            moved,
            await tab.get("workflows/a.json"),
            await tab.delete("workflows/deep/b.json"),
            await tab.delete("x"),
        )

    moved, old, deleted, missing = run(tmp_path, scenario)
    assert (moved[0], moved[2]) == (200, "workflows/deep/b.json")
    assert old[0] == 404
    assert (deleted[0], deleted[2]) == (204, b"")
    assert missing[0] == 404
    assert kept(tmp_path) == []


def test_a_move_onto_itself_leaves_the_file(tmp_path):
    async def scenario(tab):
        await tab.put("a.json", b"a")
        return (await tab.move("a.json", "a.json"))[0], (await tab.get("a.json"))[2]

    assert run(tmp_path, scenario) == (200, b"a")


def test_lists(tmp_path):
    async def scenario(tab):
        for name in ("workflows/b.json", "workflows/a.json", "workflows/deep/c.json", "other.txt"):
            await tab.put(name, b"{}")
        (tmp_path / "user/default/workflows/.00000000-1-0123456789abcdef.part").touch()
        return [
            (await tab.list(query))[2]
            for query in (
                "dir=workflows",
                "dir=workflows&recurse=true",
                "dir=workflows&recurse=true&split=true",
                "dir=workflows&recurse=true&split=false&full_info=true",
            )
        ]

    flat, deep, split, full = run(tmp_path, scenario)
    assert flat == ["a.json", "b.json"]
    assert deep == ["a.json", "b.json", "deep/c.json"]
    assert split[2] == ["deep/c.json", "deep", "c.json"]
    assert [each["path"] for each in full] == deep
    assert [misfit(each, files.UserFile) for each in full] == [None] * 3


def test_before_anything_is_kept_there_is_nothing(tmp_path):
    status, _, body = run(tmp_path, lambda tab: tab.ask("GET", "/v2/userdata"))
    assert (status, body) == (200, [])


def test_everything_below_a_folder_with_folders_first(tmp_path):
    async def scenario(tab):
        await tab.put("b/c.json", b"{}")
        await tab.put("a.json", b"{}")
        return (await tab.ask("GET", "/v2/userdata"))[2], (await tab.ask("GET", "/v2/userdata?path=b"))[2]

    everything, some = run(tmp_path, scenario)
    assert [(each["path"], each["type"]) for each in everything] == [
        ("b", "directory"),
        ("a.json", "file"),
        ("b/c.json", "file"),
    ]
    assert [each["path"] for each in some] == ["b/c.json"]
    assert [misfit(each, files.UserEntry) for each in everything] == [None] * 3


@pytest.mark.parametrize(("query", "status"), [("", 400), ("dir=nowhere", 404), ("dir=..", 403), ("dir=/etc", 403)])
def test_a_list_of_no_folder_is_refused(tmp_path, query, status):
    found, _, body = run(tmp_path, lambda tab: tab.list(query))
    assert found == status
    assert misfit(body, files.Failure) is None


@pytest.mark.parametrize(
    "name",
    ["../evil.json", "a/../../evil.json", "/etc/passwd", "..\\evil.json", "C:\\evil", "link/evil.json", ".", "a/.."],
)
def test_nothing_outside_is_read_or_changed(tmp_path, name):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "evil.json").write_text("mine")
    (tmp_path / "evil.json").write_text("mine")
    (tmp_path / "user/default").mkdir(parents=True)
    (tmp_path / "user/default/link").symlink_to(outside)

    async def scenario(tab):
        await tab.put("own.json", b"own")
        answers = [
            await tab.get(name),
            await tab.put(name, b"x"),
            await tab.delete(name),
            await tab.move("own.json", name),
            await tab.move(name, "other.json"),
        ]
        return [each[0] for each in answers], await tab.get("own.json")

    statuses, own = run(tmp_path, scenario)
    assert set(statuses) <= {400, 403, 404}
    assert own[2] == b"own"
    assert (outside / "evil.json").read_text() == (tmp_path / "evil.json").read_text() == "mine"
    assert str(tmp_path) not in str(statuses)


@pytest.mark.parametrize(
    "name",
    [
        "ComfyUI-Manager/config.ini",
        "comfyui-manager\\config.ini",
        "./ComfyUI-Manager/channels.list",
        "workflows/../ComfyUI-Manager/config.ini",
        "__manager/config.ini",
        "__MANAGER",
    ],
)
def test_the_folders_of_plugins_are_nobodys_to_touch(tmp_path, name):
    for folder in ("ComfyUI-Manager", "__manager", "comfyui-manager"):
        (tmp_path / "user/default" / folder).mkdir(parents=True)
        (tmp_path / "user/default" / folder / "config.ini").write_text("security_level = strong")

    async def scenario(tab):
        await tab.put("own.json", b"security_level = weak")
        answers = [
            await tab.get(name),
            await tab.put(name, b"security_level = weak"),
            await tab.delete(name),
            await tab.move("own.json", name),
            await tab.move(name, "other.json"),
            await tab.list("dir=ComfyUI-Manager"),
            await tab.list("dir=__manager"),
        ]
        return [each[0] for each in answers]

    assert set(run(tmp_path, scenario)) == {403}
    assert all(file.read_text() == "security_level = strong" for file in tmp_path.rglob("config.ini"))
    assert kept(tmp_path).count("own.json") == 1


@pytest.mark.parametrize("name", ["con.json", "a\n.json", "what?.json", "a\u202egpj.json", "x. ", "…/ /a", "a//b"])
def test_a_name_that_not_every_system_can_hold_is_refused_with_one_that_can(tmp_path, name):
    status, _, body = run(tmp_path, lambda tab: tab.put(name, b"x"))
    assert status in (400, 404)
    assert kept(tmp_path) == []
    assert status == 404 or "name" in body["error"]


@pytest.mark.parametrize(
    "name", [".index.json", "workflows/.index.json", "comfy.settings.json", "图/日本.json", "a b (1)"]
)
def test_names_that_editors_use_are_taken(tmp_path, name):
    assert run(tmp_path, lambda tab: tab.put(name, b"x"))[0] == 200
    assert kept(tmp_path) == [name]


@pytest.mark.parametrize("name", ["page.html", "code.js", "picture.svg", "style.css", "none"])
def test_no_browser_runs_what_is_kept(tmp_path, name):
    async def scenario(tab):
        await tab.put(name, b"<script>alert(1)</script>")
        return await tab.get(name)

    _, headers, _ = run(tmp_path, scenario)
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"].startswith("attachment")


def test_a_file_that_is_too_large_is_refused_and_the_old_one_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(user_data, "LARGEST", 1000)

    async def scenario(tab):
        await tab.put("a.json", b"old")
        return await tab.put("a.json", b"x" * 1001), await tab.get("a.json")

    refused, now = run(tmp_path, scenario)
    assert refused[0] == 413
    assert "1,000 bytes" in refused[2]["error"]
    assert now[2] == b"old"


def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path, monkeypatch):
    def fsync(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    async def scenario(tab):
        await tab.put("a.json", b"old")
        monkeypatch.setattr(os, "fsync", fsync)
        return await tab.put("a.json", b"new"), await tab.get("a.json")

    refused, now = run(tmp_path, scenario)
    assert refused[0] == 507
    assert "the disk is full" in refused[2]["error"]
    assert now[2] == b"old"
    assert kept(tmp_path) == ["a.json"]


def test_a_folder_is_no_file(tmp_path):
    async def scenario(tab):
        await tab.put("a/b.json", b"x")
        answers = [
            await tab.put("a", b"x"),
            await tab.get("a"),
            await tab.delete("a"),
            await tab.put("a/b.json/c", b"x"),
        ]
        return [each[0] for each in answers]

    assert run(tmp_path, scenario) == [400, 404, 404, 400]
    assert kept(tmp_path) == ["a/b.json"]


def test_files_wait_for_memory_and_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "RECEIVED_AT_ONCE", 100)
    monkeypatch.setattr(user_data, "PATIENCE", 0.2)
    came = asyncio.Event()

    async def slow():
        yield b"x" * 50
        await came.wait()
        yield b"x" * 50

    async def scenario(tab):
        first = asyncio.create_task(tab.put("slow.json", slow()))
        await asyncio.sleep(0.1)
        refused = await tab.put("late.json", b"y" * 60)
        came.set()
        return await first, refused, await tab.put("late.json", b"y" * 60)

    first, refused, again = run(tmp_path, scenario)
    assert (first[0], refused[0], again[0]) == (200, 503, 200)
    assert refused[1]["Retry-After"] == "5"
