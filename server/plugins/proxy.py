"""Requests for plugins' routes, passed on to the worker that has them: bodies both ways, sockets, and their ends.

Our own routes win: only what none of them answers is looked at. Whoever may not come in was refused before.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote, unquote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, WSMsgType, hdrs, web
from aiohttp import ClientWebSocketResponse as TheirSocket
from aiohttp.connector import TCPConnector, UnixConnector
from aiohttp.typedefs import Handler
from multidict import CIMultiDict
from yarl import URL

from server import keys
from server.plugins.catalogue import Serving
from server.requests import security
from server.requests.refusal import Refused

SECRET = "X-Latentwire-Plugins"
"""The header by which a worker knows us."""

PATIENCE = 30.0
"""Seconds from the end of a request to the first byte of its answer. Source: processes.md, Validation at POST."""

PART = 64 << 10  # bytes that are passed on at a time
LONGEST = 16 << 20  # bytes of one message of a socket
PARTING = 2.0  # seconds that a socket has to take a goodbye

_HOPS = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION,
        "Keep-Alive",
        hdrs.PROXY_AUTHENTICATE,
        hdrs.PROXY_AUTHORIZATION,
        hdrs.TE,
        hdrs.TRAILER,
        hdrs.TRANSFER_ENCODING,
        hdrs.UPGRADE,
    )
)
"""Headers that are about one connection. Source: RFC 9110, 7.6.1."""

_OURS = ("access-control-", "cross-origin-", "clear-site-data", "referrer-policy", "service-worker-allowed")
"""What a plugin's answer may not say: these headers are about the whole server."""

log = logging.getLogger(__name__)


@web.middleware
async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers what none of our routes does, where a plugin's does. To stand inside of every middleware that refuses."""
    if request.match_info.http_exception is None:
        return await handler(request)
    catalogue = request.app[keys.CATALOGUE]
    await catalogue.known()  # a route asked for right after the start may be a plugin's that is still being imported
    client = request.query.get("clientId")
    raw = request.rel_url.raw_path
    if _leads_up(request.path):
        return await handler(request)
    allowed: set[str] = set()
    for _, serving in catalogue.serving(request.app[keys.DISPATCHER].worker_of(client)):
        path = serving.path(request.method, raw)
        if path is not None:
            security.check_plugin_page(request)
            return await _Errand(request, serving, path).run()
        allowed |= serving.methods(raw)
    if catalogue.answers_anything(raw):
        raise _away(request)
    if allowed:
        ours = request.match_info.http_exception
        also = ours.allowed_methods if isinstance(ours, web.HTTPMethodNotAllowed) else set()
        raise web.HTTPMethodNotAllowed(request.method, {*allowed, *also})
    return await handler(request)


def _leads_up(path: str) -> bool:
    """Whether an address has a part `..`, also where a slash was encoded: authors make names of files of theirs."""
    return ".." in re.split(r"[/\\]", path)


def _away(request: web.Request) -> Refused:
    return Refused(
        503,
        f"{request.path}: the worker that has this plugin is being started; try again in some seconds",
        headers={hdrs.RETRY_AFTER: "5"},
    )


class _Errand:
    """One request on its way to a worker and back."""

    def __init__(self, request: web.Request, serving: Serving, path: str) -> None:
        self._request, self._serving = request, serving
        place = URL("http://plugins" if serving.address.startswith("unix:") else serving.address)
        self._url = place.with_path(path, encoded=True).with_query(_query(request))
        self._heard = time.monotonic()
        self._size = 0
        self._fault: Exception | None = None

    async def run(self) -> web.StreamResponse:
        address = self._serving.address
        is_unix = address.startswith("unix:")
        connector = UnixConnector(address.removeprefix("unix:")) if is_unix else TCPConnector()
        url = self._url
        timeout = ClientTimeout(total=None, sock_connect=PATIENCE)
        async with ClientSession(connector=connector, auto_decompress=False, timeout=timeout) as session:
            try:
                if self._request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
                    return await self._converse(session, url)
                return await self._exchange(session, url)
            except ClientError as error:
                if self._fault is not None:  # the client's fault, which aiohttp reports as one of the connection
                    raise self._fault from error
                log.info("a plugin's route did not answer: %s %s: %s", self._request.method, url.path, error)
                raise _away(self._request) from error

    # --- requests ---

    async def _exchange(self, session: ClientSession, url: URL) -> web.StreamResponse:
        request = self._request
        has_body = request.can_read_body
        asking = asyncio.ensure_future(
            session.request(
                request.method,
                url,
                headers=self._headers(),
                data=self._body() if has_body else None,
                allow_redirects=False,
                skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING),
            )
        )
        try:
            answer = await self._first_byte(asking)
        except BaseException:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            raise
        async with answer:
            return await self._answered(answer)

    async def _first_byte(self, asking: "asyncio.Future[ClientResponse]") -> ClientResponse:
        while not asking.done():
            left = PATIENCE - (time.monotonic() - self._heard)
            if left <= 0:
                raise Refused(504, f"{self._request.path}: the plugin did not answer within {PATIENCE:g} s")
            await asyncio.wait({asking}, timeout=left)
        return asking.result()

    async def _body(self) -> AsyncIterator[bytes]:
        most = self._request.app[keys.SETTINGS].max_upload_size
        try:
            async for part in self._request.content.iter_chunked(PART):
                self._size += len(part)
                if self._size > most:
                    raise Refused(413, f"{self._request.path}: at most {most:,} bytes are taken (--max-upload-size)")
                self._heard = time.monotonic()
                yield part
        except Exception as error:
            self._fault = error
            raise
        self._heard = time.monotonic()

    async def _answered(self, answer: ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_allowed(answer.headers))
        if answer.headers.get(hdrs.CONTENT_TYPE) is None:
            response.headers[hdrs.CONTENT_TYPE] = "application/octet-stream"
        if answer.content_length is not None and self._request.method != hdrs.METH_HEAD:
            response.content_length = answer.content_length
        await response.prepare(self._request)
        try:
            async for part in answer.content.iter_any():
                await response.write(part)
        except ClientError as error:
            # The answer has begun; a broken connection is the only honest end.
            raise ConnectionResetError("the worker ended in the middle of an answer") from error
        await response.write_eof()
        return response

    def _headers(self) -> CIMultiDict[str]:
        """The request's headers without those about the connection, and without our token."""
        token = self._request.app[keys.SETTINGS].token
        headers: CIMultiDict[str] = CIMultiDict()
        named = {each.strip().lower() for each in self._request.headers.get(hdrs.CONNECTION, "").split(",")}
        for name, value in self._request.headers.items():
            lower = name.lower()
            is_secret = lower in (SECRET.lower(), security.HEADER.lower()) or _is_token(lower, value, token)
            if lower not in _HOPS and lower not in named and not is_secret and lower != "cookie":
                headers.add(name, value)
        cookies = {name: value for name, value in self._request.cookies.items() if name != security.COOKIE}
        if cookies:
            headers[hdrs.COOKIE] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers.pop("Expect", None)
        headers[SECRET] = self._serving.secret
        headers.setdefault("X-Forwarded-For", self._request.remote or "")
        return headers

    # --- sockets ---

    async def _converse(self, session: ClientSession, url: URL) -> web.WebSocketResponse:
        request = self._request
        wanted = [each.strip() for each in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")]
        headers = self._headers()
        for name in [each for each in headers if each.lower().startswith("sec-websocket")]:
            headers.popall(name, None)
        try:
            async with asyncio.timeout(PATIENCE):
                theirs = await session.ws_connect(
                    url, headers=headers, protocols=[each for each in wanted if each], max_msg_size=LONGEST
                )
        except TimeoutError:
            raise Refused(504, f"{request.path}: the plugin did not answer within {PATIENCE:g} s") from None
        async with theirs:
            ours = web.WebSocketResponse(
                protocols=[theirs.protocol] if theirs.protocol else [], compress=False, max_msg_size=LONGEST
            )
            await ours.prepare(request)
            pumps = {asyncio.create_task(_pump(ours, theirs)), asyncio.create_task(_pump(theirs, ours))}
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in pumps:
                    each.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            await _part(ours, theirs.close_code)
            await _part(theirs, ours.close_code)
        return ours


async def _pump(source: web.WebSocketResponse | TheirSocket, target: web.WebSocketResponse | TheirSocket) -> None:
    """Passes on messages until one side leaves."""
    while True:
        message = await source.receive()
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
        else:
            return


async def _part(socket: web.WebSocketResponse | TheirSocket, code: int | None) -> None:
    try:
        async with asyncio.timeout(PARTING):
            await socket.close(code=code if code is not None and code not in (1005, 1006) else 1000)
    except (TimeoutError, ConnectionError, ClientError):
        return


def _allowed(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """What a plugin's answer may say in its headers."""
    allowed: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        is_ours = lower in _HOPS or lower.startswith(_OURS) or lower == hdrs.CONTENT_LENGTH.lower()
        is_token = lower == "set-cookie" and value.strip().lower().startswith(f"{security.COOKIE}=")
        if not is_ours and not is_token:
            allowed.add(name, value)
    return allowed


def _query(request: web.Request) -> list[tuple[str, str]]:
    """What was asked, without our token."""
    is_guarded = request.app[keys.SETTINGS].token is not None
    return [(key, value) for key, value in request.query.items() if not (is_guarded and key == security.QUERY)]


def _is_token(name: str, value: str, token: str | None) -> bool:
    """Whether an Authorization header carries our token; others are for the plugin."""
    given = value.partition(" ")[2].strip()
    return token is not None and name == "authorization" and given in (token, quote(token), unquote(token))
