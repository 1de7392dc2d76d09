"""One page of HTML at `/`: stands for the ASGI app that an application has anyway."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route


def page(name):
    """An app that serves a file of this folder."""
    path = Path(__file__).with_name(name)
    return Starlette(routes=[Route("/", lambda request: FileResponse(path))])
