"""/settings and /users: what ComfyUI's web page remembers, whole or not at all, and for whom."""

import asyncio
import json

import pytest

from server.protocol import files
from server.routes import settings, user_data
from tests.server.routes.rooms import serving
from tests.server.shapes import misfit


def run(base, scenario, **options):
    async def main():
        async with serving(base, settings, user_data, **options) as client:

            async def ask(method, path, user=None, **more):
                headers = {**more.pop("headers", {}), **({} if user is None else {"comfy-user": user})}
                async with client.request(method, path, headers=headers, **more) as answer:
                    text = await answer.text()
                    return answer.status, json.loads(text) if text else None

            return await scenario(ask)

    return asyncio.run(main())


def kept(base, user="default"):
    return json.loads((base / "user" / user / "comfy.settings.json").read_text())


def test_without_a_file_there_are_no_settings_and_each_is_null(tmp_path):
    async def scenario(ask):
        return await ask("GET", "/settings"), await ask("GET", "/settings/Comfy.Some")

    assert run(tmp_path, scenario) == ((200, {}), (200, None))
    assert not (tmp_path / "user" / "default").exists()


def test_settings_are_merged_and_kept_under_comfyuis_name(tmp_path):
    async def scenario(ask):
        answers = [
            await ask("POST", "/settings", json={"a": 1, "b": {"c": [None, "ü"]}}),
            await ask("POST", "/settings", json={"a": 2}),
            await ask("POST", "/settings/Comfy.Number", data="18446744073709551615"),
            await ask("POST", "/settings/a%2Fb", data="false"),
        ]
        return (
            answers,
            await ask("GET", "/settings"),
            await ask("GET", "/settings/b"),
            await ask("GET", "/settings/a%2Fb"),
        )

    answers, (_, everything), (_, one), (_, slashed) = run(tmp_path, scenario)
    assert answers == [(200, None)] * 4
    assert everything == {"a": 2, "b": {"c": [None, "ü"]}, "Comfy.Number": 2**64 - 1, "a/b": False}
    assert (one, slashed) == ({"c": [None, "ü"]}, False)
    assert kept(tmp_path) == everything


def test_two_changes_at_once_are_both_kept(tmp_path):
    async def scenario(ask):
        await asyncio.gather(*(ask("POST", f"/settings/{i}", data=str(i)) for i in range(40)))
        return await ask("GET", "/settings")

    assert run(tmp_path, scenario)[1] == {str(i): i for i in range(40)}


@pytest.mark.parametrize("label", ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_the_content_type_is_not_looked_at(tmp_path, label):
    async def scenario(ask):
        headers = {"Content-Type": label}
        first = await ask("POST", "/settings?clientId=x", data=b'{"a": 1}', headers=headers)
        return first, await ask("POST", "/settings/b", data=b"2", headers=headers)

    assert run(tmp_path, scenario) == ((200, None), (200, None))
    assert kept(tmp_path) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/settings", b""), ("/settings", b"[]"), ("/settings", b"{"), ("/settings/a", b""), ("/settings/a", b"NaN")],
)
def test_what_is_no_json_changes_nothing(tmp_path, path, body):
    async def scenario(ask):
        await ask("POST", "/settings/a", data=b"1")
        return await ask("POST", path, data=body)

    status, answer = run(tmp_path, scenario)
    assert status == 400
    assert "expected" in answer["error"] or "JSON" in answer["error"]
    assert kept(tmp_path) == {"a": 1}


def test_a_damaged_file_begins_anew_and_is_kept_beside(tmp_path):
    folder = tmp_path / "user" / "default"
    folder.mkdir(parents=True)
    (folder / "comfy.settings.json").write_bytes(b'{"a": 1, "b"')

    async def scenario(ask):
        return await ask("GET", "/settings"), await ask("POST", "/settings/c", data=b"3")

    assert run(tmp_path, scenario) == ((200, {}), (200, None))
    assert kept(tmp_path) == {"c": 3}
    assert (folder / "comfy.settings.json.damaged").read_bytes() == b'{"a": 1, "b"'


def test_the_one_person_is_told_of_without_a_name(tmp_path):
    async def scenario(ask):
        before = await ask("GET", "/users")
        await ask("POST", "/settings/a", data=b"1", user="whoever")
        return before, await ask("GET", "/users"), await ask("POST", "/users", json={"username": "Ada"})

    before, after, refused = run(tmp_path, scenario)
    assert before == (200, {"storage": "server", "migrated": False})
    assert after == (200, {"storage": "server", "migrated": True})
    assert misfit(after[1], files.OneUser) is None
    assert refused[0] == 400
    assert "--multi-user" in refused[1]["error"]
    assert kept(tmp_path) == {"a": 1}


def test_many_people_have_settings_and_files_of_their_own(tmp_path):
    async def scenario(ask):
        _, ada = await ask("POST", "/users", json={"username": "Ada / Ünal"})
        _, ben = await ask("POST", "/users", json={"username": "Ben"})
        await ask("POST", "/settings/a", user=ada, data=b"1")
        await ask("POST", "/settings/a", user=ben, data=b"2")
        await ask("POST", "/userdata/x.json", user=ada, data=b"{}")
        seen = [(await ask("GET", "/settings/a", user=each))[1] for each in (ada, ben, None)]
        return ada, ben, seen, (await ask("GET", "/userdata/x.json", user=ben))[0], await ask("GET", "/users")

    ada, ben, seen, absent, (_, told) = run(tmp_path, scenario, multi_user=True)
    assert seen == [1, 2, None]
    assert absent == 404
    assert told == {"storage": "server", "users": {ada: "Ada / Ünal", ben: "Ben"}}
    assert misfit(told, files.ManyUsers) is None
    assert kept(tmp_path, ada) == {"a": 1}
    assert json.loads((tmp_path / "user" / "users.json").read_text()) == told["users"]


def test_people_are_still_known_after_a_restart(tmp_path):
    async def add(ask):
        return (await ask("POST", "/users", json={"username": "Ada"}))[1]

    ada = run(tmp_path, add, multi_user=True)
    assert run(tmp_path, lambda ask: ask("GET", "/settings", user=ada), multi_user=True) == (200, {})


def test_a_name_is_taken_once(tmp_path):
    async def scenario(ask):
        await ask("POST", "/users", json={"username": "Ada"})
        return [await ask("POST", "/users", json={"username": each}) for each in ("Ada", " Ada ", "", "x" * 101, None)]

    answers = run(tmp_path, scenario, multi_user=True)
    assert answers[:2] == [(400, {"error": "Duplicate username."})] * 2
    assert [status for status, _ in answers] == [400] * 5


@pytest.mark.parametrize("user", ["nobody", "..", "../default", "default/../x"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/settings"),
        ("POST", "/settings"),
        ("GET", "/userdata?dir=workflows"),
        ("POST", "/userdata/a.json"),
        ("DELETE", "/userdata/a.json"),
        ("GET", "/user.css"),
    ],
)
def test_somebody_nobody_knows_is_refused(tmp_path, user, method, path):
    status, answer = run(tmp_path, lambda ask: ask(method, path, user=user, data=b"{}"), multi_user=True)
    assert status == 401
    assert "comfy-user" in answer["error"]
    assert not (tmp_path / "user").exists()


@pytest.mark.parametrize("text", ["[]", "{", '{"../../x": "Eve", "a/b": "Ben"}'])
def test_a_list_of_people_that_is_damaged_or_names_other_places_opens_none(tmp_path, text):
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "users.json").write_text(text)
    assert run(tmp_path, lambda ask: ask("GET", "/users"), multi_user=True)[1]["users"] == {}


def test_a_style_of_ones_own_is_served_and_otherwise_an_empty_one(tmp_path):
    async def main():
        found = []
        async with serving(tmp_path, user_data) as client:
            for _ in range(2):
                async with client.get("/user.css") as answer:
                    found.append((answer.status, answer.content_type, await answer.text()))
                await client.post("/userdata/user.css", data=b"a {}")
        return found

    assert asyncio.run(main()) == [(200, "text/css", ""), (200, "text/css", "a {}")]
