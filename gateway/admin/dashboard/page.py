"""The dashboard's page: files as they are, with headers that let nothing else run in it."""

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from roost.gateway.admin.dashboard.socket import no_room

if TYPE_CHECKING:
    from starlette.requests import Request

    from roost.gateway.endpoint import Endpoint

PATH: Final = "/dashboard"
FILES: Final = Path(__file__).parent / "page"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Scripts and styles of our own files alone, no text that becomes HTML, no frame around it, no word to elsewhere."""


def open_paths() -> list[str]:
    """What is served to whoever asks for this machine by its name: it asks for the token itself."""
    return [PATH, f"{PATH}/", *(f"{PATH}/{file.name}" for file in _files())]


def page_routes(endpoint: "Endpoint") -> list[Route]:
    """The page, its files, and `access`, by which it finds out why it was not let in."""

    async def access(_: "Request") -> Response:
        full = no_room(endpoint)
        if full is not None:
            return PlainTextResponse(full, HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    files = [_route(f"{PATH}/{file.name}", file) for file in _files()]
    return [_route(PATH, FILES / "dashboard.html"), *files, Route(f"{PATH}/access", access)]


def _files() -> list[Path]:
    return sorted(file for file in FILES.iterdir() if file.suffix in _TYPES and file.suffix != ".html")


def _route(path: str, file: Path) -> Route:
    content, kind = file.read_bytes(), _TYPES[file.suffix]

    async def serve(_: "Request") -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return Route(path, serve)
