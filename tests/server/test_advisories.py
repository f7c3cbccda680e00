"""The published advisories against ComfyUI and its manager, replayed: each must fail to do harm.

Written from the public descriptions of what each attack is. Where harm could be done by somebody else's server, a
second step shows that the attack is one: without the guard it would have done it. test_advisories_code.py has those
that would have the server run or fetch something.
"""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from engine.errors import PathError
from server import keys
from tests.server.attacks import PAGES, READERS, SECRET, Victim, is_inert, victim, ways_out
from tests.server.client import post, runs
from tests.server.quiet import PROMPT, prompt

JOB = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


# ----------------------------------------------------- CVE-2024-10481: another site's page sends requests of its own

BROWSERS = {
    "a form": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "fetch without reading": {"Origin": "https://evil.example", "Sec-Fetch-Mode": "no-cors"},
    "a page in a sandbox": {"Origin": "null"},
    "a page that hides its origin": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    "a page at another port": {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},
    "a rebound name": {"Host": "evil.example:8188", "Origin": "http://evil.example:8188"},
}
"""What browsers add, and pages cannot take away."""

SIMPLE = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b")
"""Content types for which no browser asks first. Source: the Fetch standard, "CORS-safelisted request-header"."""

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="evil.png"\r\n\r\nx\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="evil.png"\r\n\r\nx\r\n--b--\r\n'
)


def changes() -> list[tuple[str, str, bytes]]:
    """Requests that change something on a server like that of `test_no_other_page_changes_anything`."""
    workflow = json.dumps({"workflow": PROMPT}).encode()
    bare = [
        ("POST", "/prompt", json.dumps({"prompt": PROMPT}).encode()),
        ("POST", "/upload/image", FORM),
        ("POST", "/userdata/kept.json", b"evil"),
        ("POST", "/userdata/kept.json/move/gone.json", b""),
        ("DELETE", "/userdata/kept.json", b""),
        ("POST", "/settings/a", b"2"),
        ("POST", "/settings", b'{"a": 2}'),
        ("POST", "/queue", b'{"clear": true}'),
    ]
    api = [
        ("POST", "/api/v2/jobs", workflow),
        ("POST", "/api/v2/assets", FORM),
        ("POST", f"/api/jobs/{JOB}/cancel", b""),
        ("POST", "/api/jobs/cancel", json.dumps({"job_ids": [JOB]}).encode()),
        ("POST", f"/api/v2/jobs/{JOB}/cancel", b""),
    ]
    return [*bare, *((method, f"/api{path}", data) for method, path, data in bare), *api]


async def state(there: Victim) -> Any:
    """All that the requests above could change."""
    _, queue = await there.ask("/queue")
    _, settings = await there.ask("/settings")
    folders = [there.base / "input", there.base / "user" / "default"]
    files = {str(path): path.read_bytes() for each in folders for path in each.rglob("*") if path.is_file()}
    return sorted(item[1] for item in queue["queue_pending"]), settings, files


async def prepare(there: Victim) -> None:
    await post(there.client, PROMPT, prompt_id=JOB)
    await there.ask("/settings/a", 1)
    async with there.client.post("/userdata/kept.json", data=b"mine") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("browser", BROWSERS)
@runs
async def test_no_other_page_changes_anything(tmp_path: Path, browser: str) -> None:
    async with victim(tmp_path) as there:
        await prepare(there)
        before = await state(there)
        for method, path, data in changes():
            for type in SIMPLE:
                headers = {**BROWSERS[browser], "Content-Type": type}
                async with there.client.request(method, path, data=data, headers=headers) as answer:
                    assert answer.status == 403, (method, path)
                    assert "Access-Control-Allow-Origin" not in answer.headers
                assert await state(there) == before, (method, path)


@pytest.mark.parametrize(("method", "path", "data"), changes())
@runs
async def test_the_same_requests_do_change_something_when_a_program_sends_them(
    tmp_path: Path, method: str, path: str, data: bytes
) -> None:
    async with victim(tmp_path) as there:
        await prepare(there)
        before = await state(there)
        headers = {"Content-Type": SIMPLE[2] if data is FORM else SIMPLE[0]}
        async with there.client.request(method, path, data=data, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
        assert await state(there) != before


@runs
async def test_no_link_or_picture_on_another_page_changes_anything(tmp_path: Path) -> None:
    async with victim(tmp_path) as there:
        await prepare(there)
        before = await state(there)
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        for _, path, data in changes():
            async with there.client.get(path, params={"clear": "true", "data": data[:100].decode()}, headers=link):
                pass
            assert await state(there) == before, path


# ------------------------------------ CVE-2024-10099, CVE-2026-56670, CVE-2026-56672: a page is uploaded and then shown


@pytest.mark.parametrize("name", PAGES)
@runs
async def test_a_page_that_was_sent_is_never_run(tmp_path: Path, name: str) -> None:
    async with victim(tmp_path) as there:
        addresses = []
        for type in ("input", "output", "temp"):
            status, told = await there.upload(name, PAGES[name], type=type, subfolder="sub")
            assert status == 200, told
            where = f"/view?filename={quote(told['name'])}&subfolder=sub&type={type}"
            addresses += [where, f"/api{where}", f"/view?filename=sub/{quote(told['name'])}%20[{type}]"]
            addresses += [f"{where}&preview=webp", f"{where}&channel=rgb", f"{where}&channel=rgba", f"{where}&rand=1"]
        status, asset = await there.send_form("/api/v2/assets", "file", name, PAGES[name], content_type="text/html")
        assert status == 201, asset
        addresses.append(f"/api/v2/assets/{asset['id']}/content")
        async with there.client.post(f"/userdata/{quote(name)}", data=PAGES[name].encode()) as answer:
            kept = answer.status == 200
        addresses += [f"/userdata/{quote(name)}", f"/api/userdata/{quote(name)}"] if kept else []
        for address in addresses:
            accepts = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "document"}
            async with there.client.get(address, headers=accepts) as answer:
                assert is_inert(answer.headers), (address, answer.headers)
                assert answer.status in (200, 400), address


@runs
async def test_what_clients_wrote_is_shown_as_json_or_a_style_only(tmp_path: Path) -> None:
    page = PAGES["x.html"]
    async with victim(tmp_path) as there:
        await there.ask("/settings/x", page)
        await there.ask("/settings", {page: page})
        async with there.client.post("/userdata/user.css", data=page.encode()) as answer:
            assert answer.status == 200
        job = await post(there.client, prompt(_6={"text": page}), client_id=page, extra_data={page: page})
        addresses = ["/settings", "/settings/x", "/queue", "/history", f"/api/jobs/{job}", "/api/jobs", "/object_info"]
        addresses += [f"/{quote(page)}", f"/view?filename={quote(page)}", f"/history/{quote(page, safe='')}"]
        addresses += [f"/userdata?dir={quote(page)}", "/users", "/internal/logs", f"/models/{quote(page, safe='')}"]
        for address in addresses:
            async with there.client.get(address) as answer:
                assert answer.content_type == "application/json", address
                assert answer.headers["X-Content-Type-Options"] == "nosniff", address
        async with there.client.get("/user.css") as answer:
            assert (answer.content_type, answer.headers["X-Content-Type-Options"]) == ("text/css", "nosniff")


@pytest.mark.parametrize("name", [each for each in PAGES if not each.endswith((".json", ".txt", ".png", "."))])
@runs
async def test_an_example_beside_a_plugin_is_never_run_either(tmp_path: Path, name: str) -> None:
    async with victim(tmp_path) as there:
        (tmp_path / "custom_nodes/pack/example_workflows" / name).write_text(PAGES[name])
        async with there.client.get(f"/api/workflow_templates/pack/{name}") as answer:
            assert answer.status == 200
            assert is_inert(answer.headers), answer.headers


# ---------------------------------------- CVE-2026-56671, CVE-2026-56673, CVE-2026-6591: a name leads out of its folder


@pytest.mark.parametrize("reader", READERS)
@runs
async def test_no_name_reads_what_is_elsewhere(tmp_path: Path, reader: str) -> None:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("")
    (page / "assets" / "x.js").write_text("")
    for front in ({}, {"front_end_root": page}):
        async with victim(tmp_path, **front) as there:
            for name in [*ways_out("secret.txt"), f"..%2f..{quote(str(tmp_path))}/secret.txt", "/etc/passwd"]:
                head, body = await there.raw(reader.format(name))
                assert head.startswith(b"HTTP/1.1 "), (name, head)
                assert not head.startswith(b"HTTP/1.1 500"), (name, body)
                assert SECRET.encode() not in body, name
                assert b"root:" not in body, name
                assert b"secret.txt" not in body or b'"error"' in body or not body.startswith(b"["), name


@runs
async def test_a_folder_of_a_person_cannot_be_chosen_by_its_path(tmp_path: Path) -> None:
    async with victim(tmp_path, multi_user=True) as there:
        for name in (".", "..", "../..", "%2e%2e", "/etc", "default/..", "__manager", "x\\..\\..", ""):
            head, body = await there.raw("/userdata/secret.txt", headers=f"comfy-user: {name}\r\n")
            assert head.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404")), (name, head)
            assert SECRET.encode() not in body


def plain_ways_out(name: str) -> list[str]:
    """The same as they stand in a form or in JSON."""
    found = ["../", "../../", "x/../../", "..\\", "..\\..\\", "/", "//", "./../", "....//", "~/", "C:\\", "\\\\host\\"]
    return [*(f"{each}{name}" for each in found), f"../{name} [output]", f"../{name} [input]", f"/tmp/{name}", ".."]


@runs
async def test_no_name_writes_elsewhere(tmp_path: Path) -> None:
    async with victim(tmp_path, multi_user=True) as there:
        (tmp_path / "input" / "link").symlink_to(tmp_path)
        before = there.elsewhere()
        assert len(before) >= 5
        for way in [*plain_ways_out("secret.txt"), "link/secret.txt", "link"]:
            await there.upload(way, "evil", overwrite="true")
            await there.upload("secret.txt", "evil", overwrite="true", subfolder=way.rpartition("secret.txt")[0] or way)
            await there.upload("secret.txt", "evil", overwrite="true", type=way)
            await there.send_form("/api/v2/assets", "file", way, "evil", file_path=way)
            reference = json.dumps({"filename": way, "type": "input"})
            status, _ = await there.send_form("/upload/mask", "image", way, "evil", original_ref=reference)
            assert status == 400
            for address in (f"/userdata/{quote(way, safe='')}", f"/userdata/own/move/{quote(way, safe='')}"):
                async with there.client.post("/userdata/own", data=b"evil"):
                    pass
                async with there.client.post(address, data=b"evil"):
                    pass
                async with there.client.delete(f"/userdata/{quote(way, safe='')}"):
                    pass
            await there.ask("/users", {"username": way})
            status, told = await there.ask("/prompt", {"prompt": prompt(_9={"filename_prefix": way})})
            if "secret.txt" in way and not way.startswith(("....", "~", "link")):
                assert status == 400, (way, told)
                assert "filename_prefix" in json.dumps(told["node_errors"]["9"])
            assert there.elsewhere() == before, way


@pytest.mark.parametrize("way", plain_ways_out("secret.txt"))
@runs
async def test_no_node_is_given_a_picture_from_elsewhere(tmp_path: Path, way: str) -> None:
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": way}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    async with victim(tmp_path) as there:
        status, told = await there.ask("/prompt", {"prompt": graph})
        assert status == 400
        assert "image" in json.dumps(told["node_errors"]["1"])
        folders = there.client.app[keys.FOLDERS]
        with pytest.raises(PathError):  # the same question again, where the file is opened
            folders.input_file(way)
        (tmp_path / "input" / "fine.png").write_bytes(b"")
        assert folders.input_file("fine.png").is_file()


# ------------------------------------------------------- CVE-2025-67303: configuration stands where clients can write

CONFIGS = {
    "extra_model_paths.yaml": "evil:\n  base_path: /etc\n  checkpoints: .\n  custom_nodes: .\n",
    "config.ini": "[default]\nsecurity_level = weak\n",
    "ComfyUI-Manager/config.ini": "[default]\nsecurity_level = weak\n",
    "__manager/config.ini": "[default]\nsecurity_level = weak\n",
    "token": "a token that an attacker has chosen",
    "users.json": '{"evil": "evil"}',
    "node_types.json": "{}",
    "plugins/blame.json": "{}",
    "sitecustomize.py": "raise SystemExit",
    "custom_nodes/evil.py": "raise SystemExit",
    "pyproject.toml": '[tool.comfy]\nweb = "/etc"\n',
}


@runs
async def test_nothing_that_clients_write_configures_the_server(tmp_path: Path) -> None:
    kept = {"listen": "0.0.0.0", "no_token": True, "multi_user": True}
    async with victim(tmp_path, **kept) as there:
        _, before = await there.ask("/internal/folder_paths")
        unchanged = there.elsewhere()
        for name, text in CONFIGS.items():
            for path in (name, f"../{name}", f"..\\{name}", f"workflows/{name}"):
                async with there.client.post(f"/userdata/{quote(path, safe='')}", data=text.encode()):
                    pass
            await there.upload(name.rpartition("/")[2], text, subfolder=name.rpartition("/")[0])
            await there.upload(name.rpartition("/")[2], text, subfolder=f"../{name.rpartition('/')[0]}")
            await there.send_form("/api/v2/assets", "file", name, text, file_path=f"../../{name}")
        for key in ("listen", "token", "no_token", "enable_cors_header", "front_end_root", "custom_nodes"):
            await there.ask(f"/settings/{key}", "*")
        assert there.elsewhere() == unchanged
        for folder in ("ComfyUI-Manager", "__manager"):
            assert not (tmp_path / "user/default" / folder).exists()
    async with victim(tmp_path, **kept) as there:
        assert (await there.ask("/internal/folder_paths"))[1] == before
        assert (await there.ask("/users"))[1]["users"] == {}
        assert {each.name for each in (tmp_path / "custom_nodes").iterdir()} == {"pack", "secret.txt"}
        async with there.client.get("/features", headers={"Origin": "https://evil.example"}) as answer:
            assert answer.status == 403
    (tmp_path / "extra_model_paths.yaml").write_text(CONFIGS["extra_model_paths.yaml"])  # it would have
    async with victim(tmp_path) as there:
        assert (await there.ask("/internal/folder_paths"))[1] != before


@runs
async def test_the_token_is_not_among_the_files_of_people(tmp_path: Path) -> None:
    async with victim(tmp_path) as there:
        (tmp_path / "user" / "token").write_text(SECRET)
        for reader in READERS:
            for name in ways_out("token"):
                _, body = await there.raw(reader.format(name))
                assert SECRET.encode() not in body


# ------------------------------------------------- CVE-2026-22777: a line break in a value becomes a line of its own

BREAKS = ("%0d%0a", "%0a", "%0d", "%e2%80%a8", "%c2%85", "%0d%0a%0d%0a")


@pytest.mark.parametrize("broken", BREAKS)
@runs
async def test_no_line_break_becomes_a_header_or_a_line_of_a_log_or_a_setting(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    evil = f"x{broken}X-Evil: 1{broken}security_level = weak"
    spelled = evil.replace(" ", "%20")
    plain = evil.replace("%0d", "\r").replace("%0a", "\n").replace("%e2%80%a8", "\u2028").replace("%c2%85", "\x85")
    async with victim(tmp_path) as there:
        with caplog.at_level(logging.DEBUG):
            targets = [reader.format(spelled) for reader in READERS]
            targets += [f"/latentwire?a={spelled}", f"/?token={spelled}", f"/ws?clientId={spelled}", f"/{spelled}"]
            targets += [f"/history?max_items={spelled}", f"/view?filename=x.png&preview={spelled}"]
            for target in targets:
                head, _ = await there.raw(target)
                assert head.startswith(b"HTTP/1.1 "), (target, head)
                assert b"x-evil" not in [line.partition(b":")[0].lower() for line in head.splitlines()], target
            status, told = await there.upload(spelled, b"x")
            if status == 200:
                head, _ = await there.raw(f"/view?filename={quote(told['name'])}&type=input")
                assert head.startswith(b"HTTP/1.1 200")
                assert b"x-evil" not in [line.partition(b":")[0].lower() for line in head.splitlines()]
            await there.ask(f"/settings/{spelled}", plain)
            await there.ask("/settings", {plain: plain})
            await there.ask("/prompt", {"prompt": prompt(_6={"text": plain}), "client_id": plain})
            await there.ask("/prompt", {"prompt": {plain: {"class_type": plain}}})
        settings = json.loads((tmp_path / "user/default/comfy.settings.json").read_text())
        assert settings == {plain: plain}
        written = (tmp_path / "user/default/comfy.settings.json").read_text()
        assert not [line for line in written.splitlines() if line.startswith(("X-Evil", "security_level"))]
        _, log = await there.ask("/internal/logs")
        assert not [line for line in log.split("\n") if line.startswith(("X-Evil", "security_level"))]
