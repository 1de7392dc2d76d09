"""Sessions and users of Django: `WebSocket(session=django_session)`, then `await django_user(info.session)`."""

from importlib import import_module
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import aget_user
from django.http import HttpRequest

from roost.gateway.connect.connect_info import ConnectInfo


async def django_session(info: ConnectInfo) -> Any:
    """The session that the request's cookie names, as Django has it: its store, read already. None without a cookie."""
    key = info.cookies.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    await sync_to_async(store.get)("")  # reads it
    return store


async def django_user(session: Any) -> Any:
    """The user who is logged in in a session; an AnonymousUser if nobody is, or if there is none."""
    if session is None:
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser()
    request = HttpRequest()
    request.session = session
    return await aget_user(request)
