"""Who may come in and who may not."""

import asyncio
import time

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError, web
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SettingsError
from server.requests.security import check_binding, is_loopback, is_same_place, split_host
from server.settings import ServerSettings
from tests.server.routes.rooms import serving


async def hello(request: web.Request) -> web.Response:
    return web.json_response({"hello": request.query.get("who")})


async def socket(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse()
    await answer.prepare(request)
    await answer.send_str("in")
    await answer.close()
    return answer


async def stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    return answer


ROOM = [web.get("/hello", hello), web.post("/hello", hello), web.get("/ws", socket), web.get("/stream", stream)]


def ask(base, headers, *, method="GET", path="/hello", **settings):
    """Returns: status, headers and the error, if any."""

    async def scenario():
        async with serving(base, ROOM, **settings) as client, client.request(method, path, headers=headers) as answer:
            body = await answer.json() if answer.content_type == "application/json" else {}
            return answer.status, answer.headers, body.get("error", "")

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8188", "127.0.0.1:1", "127.9.9.9", "[::1]:8188", "a.localhost."]
)
def test_this_computers_own_names_are_welcome(tmp_path, host):
    assert ask(tmp_path, {"Host": host})[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "localhost.evil.example", "[::2]"]
)
def test_another_name_is_a_rebinding_attack(tmp_path, host):
    status, _, error = ask(tmp_path, {"Host": host})
    assert status == 403
    assert "--allowed-host" in error


@pytest.mark.parametrize("host", ["", "a b", "localhost:99999999", "localhost:x", "[::1", "[x]:1", "a@localhost", "ü"])
def test_rubbish_is_no_name(tmp_path, host):
    assert ask(tmp_path, {"Host": host})[0] == 400


def test_a_name_can_be_allowed(tmp_path):
    settings = {"allowed_hosts": ("Art.example:8188", "other")}
    assert ask(tmp_path, {"Host": "art.example"}, **settings)[0] == 200
    assert ask(tmp_path, {"Host": "other:80"}, **settings)[0] == 200
    assert ask(tmp_path, {"Host": "third"}, **settings)[0] == 403


def test_a_server_for_the_network_answers_to_any_address_but_not_to_any_name(tmp_path):
    settings = {"listen": "0.0.0.0", "token": "t"}
    key = {"X-Token": "t"}
    assert ask(tmp_path, {"Host": "192.168.1.7:8188", **key}, **settings)[0] == 200
    assert ask(tmp_path, {"Host": "[2001:db8::7]", **key}, **settings)[0] == 200
    assert ask(tmp_path, {"Host": "evil.example", **key}, **settings)[0] == 403


def test_two_host_headers_are_refused(tmp_path):
    async def scenario():
        async with serving(tmp_path, ROOM) as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
            writer.write(b"GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            return line

    assert b" 400 " in asyncio.run(scenario())


@pytest.mark.parametrize("origin", ["http://localhost:8188", "https://localhost:8188", "HTTP://LOCALHOST:8188"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_our_own_pages_may_do_everything(tmp_path, origin, method):
    assert ask(tmp_path, {"Host": "localhost:8188", "Origin": origin}, method=method)[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "http://localhost:9999",
        "http://127.0.0.1:8188",
        "http://localhost",
        "",
        "localhost:8188",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_others_may_do_nothing(tmp_path, origin, method):
    status, headers, error = ask(tmp_path, {"Host": "localhost:8188", "Origin": origin}, method=method)
    assert status == 403
    assert "--enable-cors-header" in error
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://a", "a:80", True),
        ("http://a:80", "a", True),
        ("https://a", "a", True),
        ("https://a", "a:443", True),
        ("https://a", "a:80", False),
        ("http://a:8188", "a", False),
        ("http://[::1]:8188", "[::1]:8188", True),
        ("http://a.", "a", True),
        ("http://a/path", "a", False),
        ("http://b@a", "a", False),
        ("ftp://a", "a", False),
    ],
)
def test_a_place_is_a_name_and_a_port(origin, host, same):
    assert is_same_place(origin, host) is same


def test_a_form_of_another_site_that_hides_its_origin_is_refused(tmp_path):
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert ask(tmp_path, cross, method="POST")[0] == 403
    assert ask(tmp_path, cross)[0] == 403
    assert ask(tmp_path, cross, enable_cors_header="*")[0] == 200
    assert ask(tmp_path, cross, method="POST", enable_cors_header="*")[0] == 403
    assert ask(tmp_path, {"Sec-Fetch-Site": "same-origin"}, method="POST")[0] == 200


def test_a_link_on_another_page_may_be_followed_here(tmp_path):
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(tmp_path, followed)[0] == 200
    assert ask(tmp_path, followed, method="POST")[0] == 403


def test_other_sites_may_not_show_what_is_here_unless_they_are_let_in(tmp_path):
    assert ask(tmp_path, {})[1]["Cross-Origin-Resource-Policy"] == "same-site"
    assert "Cross-Origin-Resource-Policy" not in ask(tmp_path, {}, enable_cors_header="*")[1]


def test_programs_that_send_neither_are_welcome(tmp_path):
    assert ask(tmp_path, {}, method="POST")[0] == 200


def connect(base, headers, **settings):
    async def scenario():
        async with serving(base, ROOM, **settings) as client, client.ws_connect("/ws", headers=headers) as ws:
            return (await ws.receive()).type

    return asyncio.run(scenario())


@pytest.mark.parametrize("headers", [{"Origin": "null"}, {"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_sockets_are_guarded_alike(tmp_path, headers):
    with pytest.raises(WSServerHandshakeError) as error:
        connect(tmp_path, headers)
    assert error.value.status == 403
    assert connect(tmp_path, {}) is WSMsgType.TEXT


def test_cors_lets_the_given_origin_in_and_nobody_else(tmp_path):
    settings = {"enable_cors_header": "https://art.example"}
    status, headers, _ = ask(tmp_path, {"Origin": "https://art.example"}, **settings)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://art.example")
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert ask(tmp_path, {"Origin": "https://evil.example"}, **settings)[0] == 403
    assert ask(tmp_path, {"Origin": "null"}, **settings)[0] == 403


def test_cors_with_a_star_lets_everybody_in_but_no_rebinding(tmp_path):
    settings = {"enable_cors_header": "*"}
    assert ask(tmp_path, {"Origin": "https://any.example"}, **settings)[1]["Access-Control-Allow-Origin"] == "*"
    assert ask(tmp_path, {"Origin": "https://any.example", "Host": "any.example"}, **settings)[0] == 403


def test_cors_answers_the_question_before_the_request(tmp_path):
    settings = {"enable_cors_header": "https://art.example", "token": "t"}
    status, headers, _ = ask(tmp_path, {"Origin": "https://art.example"}, method="OPTIONS", **settings)
    assert status == 200
    assert named(headers, "Allow") == {
        *("content-type", "authorization", "x-token", "comfy-user", "idempotency-key", "last-event-id"),
        *("if-match", "if-none-match", "range"),
    }
    assert ask(tmp_path, {"Origin": "https://evil.example"}, method="OPTIONS", **settings)[0] == 403


def named(headers, verb):
    return {each.strip().lower() for each in headers[f"Access-Control-{verb}-Headers"].split(",")}


def test_a_page_that_was_let_in_may_read_what_answers_say_of_themselves(tmp_path):
    headers = ask(tmp_path, {"Origin": "https://any.example"}, enable_cors_header="*")[1]
    assert named(headers, "Expose") == {"etag", "retry-after", "content-range", "content-disposition", "location"}


def test_errors_and_streams_have_the_headers_too(tmp_path):
    settings = {"enable_cors_header": "*"}
    for path, expected in (("/nowhere", 404), ("/stream", 200)):
        status, headers, _ = ask(tmp_path, {}, path=path, **settings)
        assert (status, headers["X-Content-Type-Options"]) == (expected, "nosniff")
        assert headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("headers", "path"),
    [
        ({"Authorization": "Bearer s3cret ü"}, "/hello"),
        ({"Authorization": "bearer  s3cret ü"}, "/hello"),
        ({"X-Token": "s3cret ü"}, "/hello"),
        ({"Cookie": "a=b; latentwire_token=s3cret%20%C3%BC"}, "/hello"),
        ({}, "/hello?token=s3cret%20%C3%BC"),
    ],
)
def test_the_token_may_come_in_four_ways(tmp_path, headers, path):
    assert ask(tmp_path, headers, path=path, token="s3cret ü")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer s3cre"},
        {"Authorization": "Basic s3cret"},
        {"Authorization": "Bearer"},
        {"X-Token": ""},
        {"Cookie": "latentwire_token=%ff"},
        {"Cookie": "latentwire_token"},
    ],
)
def test_without_the_token_nobody_comes_in(tmp_path, headers):
    status, answer, error = ask(tmp_path, headers, token="s3cret")
    assert (status, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "Authorization" in error
    assert "s3cret" not in error
    with pytest.raises(WSServerHandshakeError):
        connect(tmp_path, headers, token="s3cret")


def test_a_browser_shows_the_token_once(tmp_path):
    async def scenario():
        async with serving(tmp_path, ROOM, token='s3cret; "ü"') as client:
            async with client.get("/hello", params={"token": 's3cret; "ü"', "who": "me"}) as answer:
                cookie = answer.headers["Set-Cookie"]
            async with client.get("/hello", headers={"Cookie": cookie.split(";")[0]}) as answer:
                again = answer.status, "Set-Cookie" in answer.headers
            client.session.cookie_jar.clear()
            async with client.get("/hello", params={"token": "wrong"}) as answer:
                return cookie, again, answer.status, "Set-Cookie" in answer.headers

    cookie, again, wrong, has_cookie = asyncio.run(scenario())
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert again == (200, False)
    assert (wrong, has_cookie) == (401, False)


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "192.168.1.7", "", "art.example"])
def test_nobody_listens_beyond_this_computer_without_a_token(listen):
    with pytest.raises(SettingsError, match="--token"):
        check_binding(ServerSettings(listen=listen))
    check_binding(ServerSettings(listen=listen, token="t"))


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_on_this_computer_no_token_is_needed(listen):
    check_binding(ServerSettings(listen=listen))


def test_an_empty_token_is_none():
    with pytest.raises(SettingsError, match="empty"):
        check_binding(ServerSettings(token=" "))


@given(st.text(max_size=30))
def test_no_text_is_taken_for_this_computer_by_mistake(text):
    place = split_host(text)
    if place is not None and is_loopback(place[0]):
        name = text.lower()
        assert "localhost" in name or name.startswith("127.") or name.lstrip("[").startswith(("::1", "0", "::ffff:"))


@given(st.text(max_size=30), st.text(max_size=30))
def test_comparing_places_never_fails(origin, host):
    assert is_same_place(origin, host) in (True, False)


def test_the_guard_costs_next_to_nothing(tmp_path):
    from aiohttp.test_utils import make_mocked_request

    from server import keys
    from server.requests.security import guard

    app = web.Application()
    app[keys.SETTINGS] = ServerSettings(token="t")
    request = make_mocked_request(
        "GET", "/prompt", {"Host": "127.0.0.1:8188", "Origin": "http://127.0.0.1:8188", "X-Token": "t"}, app=app
    )
    answer = web.Response()

    async def handler(request: web.Request) -> web.Response:
        return answer

    async def scenario():
        best = 1.0
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(100):
                await guard(request, handler)
            best = min(best, (time.perf_counter() - began) / 100)
        return best

    assert asyncio.run(scenario()) < 200e-6  # 2 µs on 2026-11-22, on two busy cores
