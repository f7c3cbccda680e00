"""Who may come in: names of this server, pages of other sites, and the token.

A page on the internet can make a browser send requests to 127.0.0.1, and with a name it controls it can even read the
answers (DNS rebinding). So the Host header must be a name of this server, and the Origin header, which browsers add
and pages cannot change, must be the same place or one that was allowed.
"""

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from engine.errors import SettingsError
from server import keys
from server.requests.refusal import Refused
from server.settings import ServerSettings

COOKIE = "latentwire_token"
QUERY = "token"
HEADER = "X-Token"

CORS_HEADERS = {
    "Access-Control-Allow-Methods": "POST, GET, DELETE, PUT, OPTIONS, PATCH",
    "Access-Control-Allow-Headers": "Content-Type, Authorization, X-Token, comfy-user, Idempotency-Key, Last-Event-ID, "
    "If-Match, If-None-Match, Range",
    "Access-Control-Expose-Headers": "ETag, Retry-After, Content-Range, Content-Disposition, Location",
    "Access-Control-Allow-Credentials": "true",
}
"""What a page that was let in may send and read. Source: protocol.md, section 1, and the headers of our routes."""

_PAGE = "document"  # Sec-Fetch-Dest of a link that is followed; frames and embedded things have others
_HARMLESS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def check_binding(settings: ServerSettings) -> None:
    """Refuses to serve everybody without a token. Raises: SettingsError."""
    if settings.token is not None and not settings.token.strip():
        raise SettingsError("--token: expected a secret text, got an empty one; leave the option out or give one")
    if settings.token is None and not settings.no_token and not is_loopback(settings.listen):
        raise SettingsError(
            f"--listen {settings.listen}: whoever reaches this computer could run anything on it; "
            "add --token SECRET, which every client must then send, or leave --listen out"
        )


def is_loopback(address: str) -> bool:
    """Whether only programs on this computer reach what listens at an address."""
    name = address.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    ip = _ip(name)
    return ip is not None and ip.is_loopback


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets in who may come in. Raises: Refused, with 400, 401 or 403."""
    rules = _rules(request.app[keys.SETTINGS])
    headers = request.headers
    origin = headers.get(hdrs.ORIGIN)
    rules.check_host(headers.getall(hdrs.HOST, ()), request.version)
    if origin is not None:
        rules.check_origin(origin, headers.get(hdrs.HOST, ""))
    elif headers.get("Sec-Fetch-Site") in _foreign(request) and not _may_cross(request, rules):
        raise Refused(403, f"A page of another site sent this request. {_ALLOW_ORIGIN}")
    if rules.cors is not None and request.method == hdrs.METH_OPTIONS:
        return web.Response()
    if rules.token is not None:
        check_token(request, rules.token)
    return await handler(request)


def _foreign(request: web.Request) -> tuple[str, ...]:
    """How browsers say that a page is none of ours; one at another port is `same-site`: it may look but not touch."""
    return ("cross-site",) if request.method in _HARMLESS else ("cross-site", "same-site")


def _may_cross(request: web.Request, rules: "Rules") -> bool:
    """Whether another site's page may ask: to be followed here by a link, or to show pictures where that is allowed."""
    headers = request.headers
    is_followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest", _PAGE) == _PAGE
    return request.method in _HARMLESS and (is_followed or rules.cors is not None)


def check_plugin_page(request: web.Request) -> None:
    """Raises: Refused, when a page of another site or at another port asks for what only a plugin answers.

    Authors do things at a GET as well, so not even a link may be followed there.
    """
    is_foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
    is_allowed = hdrs.ORIGIN in request.headers or _rules(request.app[keys.SETTINGS]).cors == "*"  # asked by `guard`
    if is_foreign and not is_allowed:
        raise Refused(403, f"A page of another site sent this request, which a plugin would answer. {_ALLOW_ORIGIN}")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Puts on every answer what protects its reader; for `on_response_prepare`, so that streams have it too."""
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin")  # an address may hold the token
    rules = _rules(request.app[keys.SETTINGS])
    if rules.cors is None:
        headers["Cross-Origin-Resource-Policy"] = "same-site"
    else:
        headers["Access-Control-Allow-Origin"] = rules.cors
        headers.update(CORS_HEADERS)
    if rules.token is not None and _is_token(request.query.get(QUERY, ""), rules.token):
        # A browser that came with ?token= need not show it again.
        secure = "; Secure" if request.secure else ""
        headers.add(
            hdrs.SET_COOKIE, f"{COOKIE}={quote(rules.token, safe='')}; Path=/; HttpOnly; SameSite=Strict{secure}"
        )


# ----------------------------------------------------------------------------------------------------- host and origin


_ALLOW_ORIGIN = "To allow pages of another address, start the server with --enable-cors-header and that address."


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings mean for a request."""

    names: frozenset[str]
    any_ip: bool
    cors: str | None
    token: bytes | None

    def check_host(self, given: Sequence[str], version: tuple[int, int]) -> None:
        """Raises: Refused, unless the Host header names this server."""
        if len(given) != 1:
            if not given and version < (1, 1):
                return  # a simple tool; no browser leaves it out
            raise Refused(400, f"expected one Host header, got {len(given)}")
        place = split_host(given[0])
        if place is None:
            raise Refused(400, f"Host {given[0]!r:.100} is no name of a server")
        name = place[0]
        if name in self.names or is_loopback(name) or (self.any_ip and _ip(name) is not None):
            return
        raise Refused(
            403,
            f"This server does not know itself by the name {name!r:.100}. If that is a name of it, start it with "
            f"--allowed-host {name:.100}",
        )

    def check_origin(self, origin: str, host: str) -> None:
        """Raises: Refused, unless the page comes from this server or from where it was allowed."""
        if self.cors == "*" or (self.cors is not None and origin.rstrip("/").lower() == self.cors.rstrip("/").lower()):
            return
        if not is_same_place(origin, host):
            raise Refused(403, f"A page of {origin!r:.100} may not use this server. {_ALLOW_ORIGIN}")


@lru_cache(maxsize=8)
def _rules(settings: ServerSettings) -> Rules:
    listen = settings.listen.strip("[]").lower()
    allowed = (split_host(each) for each in settings.allowed_hosts)
    return Rules(
        names=frozenset({listen, *(each[0] for each in allowed if each is not None)}),
        any_ip=not is_loopback(listen),
        cors=settings.enable_cors_header,
        token=None if settings.token is None else settings.token.encode("utf-8", "surrogatepass"),
    )


@lru_cache(maxsize=256)
def is_same_place(origin: str, host: str) -> bool:
    """Whether an Origin header names the place of a Host header. The scheme may differ: proxies speak https for us."""
    scheme, separator, rest = origin.partition("://")
    default = _PORTS.get(scheme.lower())
    ours, theirs = split_host(host), split_host(rest)
    if not separator or default is None or ours is None or theirs is None:
        return False
    return (theirs[0], theirs[1] or default) == (ours[0], ours[1] or default)


@lru_cache(maxsize=256)
def split_host(text: str) -> tuple[str, int | None] | None:
    """A name (lower case, an IPv6 address without brackets) and its port, or None when it is neither."""
    name, port = text, ""
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or not isinstance(_ip(name), ipaddress.IPv6Address):
            return None
        port = rest[1:]
    elif ":" in text:
        name, _, port = text.partition(":")
    name = name.lower().removesuffix(".")
    is_spelled = name and len(name) <= 255 and all(each.isalnum() or each in "-._:%" for each in name)
    if not is_spelled or not name.isascii() or (port and not (port.isascii() and port.isdigit() and len(port) <= 5)):
        return None
    return name, int(port) if port else None


@lru_cache(maxsize=256)
def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


# --------------------------------------------------------------------------------------------------------------- token


def check_token(request: web.Request, token: bytes) -> None:
    """Raises: Refused with 401, unless the request carries the token in one of four places."""
    headers = request.headers
    scheme, _, bearer = headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and _is_token(bearer.strip(), token):
        return
    if _is_token(headers.get(HEADER, ""), token):
        return
    if hdrs.COOKIE in headers and _is_token(unquote(request.cookies.get(COOKIE, "")), token):
        return
    if _is_token(request.query.get(QUERY, ""), token):
        return
    raise Refused(
        401,
        "This server wants its token: as 'Authorization: Bearer …', or once in a browser as ?token=….",
        headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
    )


def _is_token(given: str, token: bytes) -> bool:
    return bool(given) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token)
