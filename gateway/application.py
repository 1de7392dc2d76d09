"""Finds the application's endpoint, and the sentence to say if it cannot be found."""

import importlib
import sys
import traceback
from pathlib import Path

from roost.gateway.endpoint import Endpoint
from roost.shared.failures import CannotStart


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
    return endpoint


def _reason(error: Exception) -> str:
    """What went wrong and in which line of which file."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f" ({place.filename}:{place.lineno})" if not isinstance(error, ModuleNotFoundError) else ""
    return f"{type(error).__name__}: {error}{where}"
