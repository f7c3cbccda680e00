"""The parameters of a request's address, taken out as what they should be or refused by name."""

from collections.abc import Collection

from aiohttp import web

from server.requests.refusal import Refused

LARGEST = 2**53  # a number that JavaScript can still count with; SQLite can too


def whole(request: web.Request, name: str, *, least: int = 0) -> int | None:
    """A whole number; None where there is none. Raises: Refused."""
    text = request.query.get(name, "").strip()
    if not text:
        return None
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 16:
        value = int(text)
        if least <= value <= LARGEST:
            return value
    raise Refused(400, f"{name}: expected a whole number from {least}, got {text!r:.100}")


def one_of(request: web.Request, name: str, words: Collection[str], default: str) -> str:
    """One of these words. Raises: Refused."""
    text = request.query.get(name, "").strip()
    if text and text not in words:
        raise Refused(400, f"{name}: expected {' or '.join(words)}, got {text!r:.100}")
    return text or default


def some_of(request: web.Request, name: str, words: Collection[str]) -> list[str]:
    """Some of these words, with commas between them. Raises: Refused."""
    found = [each.strip() for each in request.query.get(name, "").split(",") if each.strip()]
    for each in found:
        if each not in words:
            raise Refused(400, f"{name}: expected {', '.join(words)}, got {each!r:.100}")
    return list(dict.fromkeys(found))
