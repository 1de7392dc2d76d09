"""Finds the application's endpoint, and the sentence to say if it cannot be found."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Final

from roost.gateway.annotations import check_annotations
from roost.gateway.endpoint import Endpoint
from roost.shared.failures import CannotStart

_NOT_THE_APPLICATIONS: Final = ("<", f"{Path(__file__).parents[2]}/", f"{Path(importlib.__file__).parent}/")
"""Where lines are Roost's own or the import's."""


def load_endpoint(app: str) -> Endpoint:
    """Import `module:attribute` from the working directory or the installed packages. Raises CannotStart."""
    module_name, colon, attribute = app.partition(":")
    if not colon or not module_name or not attribute:
        raise CannotStart(f"the application is named module:attribute, as in examples.numbers:endpoint, not {app!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise CannotStart(f"cannot import {module_name}: {_reason(error)}") from error
    endpoint = getattr(module, attribute, None)
    if not isinstance(endpoint, Endpoint):
        found = "has no such attribute" if endpoint is None else f"is a {type(endpoint).__name__}, not an Endpoint"
        raise CannotStart(f"{app} {found}")
    if not endpoint.mounts:
        raise CannotStart(f'{app} has no socket: call {attribute}.mount("/socket", UserSocket)')
    try:
        check_annotations(endpoint)
    except TypeError as error:
        raise CannotStart(f"{app} cannot be served: {error}") from error
    return endpoint


def _reason(error: Exception) -> str:
    """What went wrong, and in which line of the application: where it called what refused it."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"  # which names file and line
    places = traceback.extract_tb(error.__traceback__)
    own = [place for place in places if not place.filename.startswith(_NOT_THE_APPLICATIONS)]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {error}{where}"
