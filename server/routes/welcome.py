"""GET /: what somebody sees who opens the address in a browser."""

from aiohttp import web

TEXT = """Latentwire is running.

Queue a workflow:  curl -X POST --data-binary @workflows/text_to_image.json http://{host}/prompt
See what became:   curl http://{host}/history
What else it does: docs/http_api.md
"""


async def welcome(request: web.Request) -> web.Response:
    """A few lines of text: that the server is there, and what to send it."""
    return web.Response(text=TEXT.format(host=request.host))


ROUTES = (web.get("/", welcome),)
