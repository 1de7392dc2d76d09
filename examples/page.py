"""One page of HTML at `/`: stands for the ASGI app that an application has anyway."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route

HERE = Path(__file__).parent


def page(name):
    """An app that serves a file of this folder, and the script that pages share."""
    return Starlette(routes=[Route("/", _file(name)), Route("/channels.js", _file("channels.js"))])


def _file(name):
    return lambda request: FileResponse(HERE / name)
