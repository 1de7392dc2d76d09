"""A Django application with channels on the same port: who is logged in there is known here.

make run EXAMPLE=django_session
"""

import tempfile

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="what this example signs with, which is no secret at all",
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    SESSION_ENGINE="django.contrib.sessions.backends.file",
    SESSION_FILE_PATH=tempfile.gettempdir(),
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{tempfile.gettempdir()}/roost-django.db"}},
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import alogin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

from roost import Channel, Endpoint, Error, Ok, Socket, WebSocket, csrf_token, event  # noqa: E402
from roost.django import django_session, django_user  # noqa: E402


async def login(request):
    user, _ = await User.objects.aget_or_create(username=request.GET["name"])
    await alogin(request, user, "django.contrib.auth.backends.ModelBackend")  # yours asks for a password before
    return JsonResponse({"csrf": csrf_token(request.session)})


urlpatterns = [path("login", login)]


class UserSocket(Socket):
    async def connect(self, params, info):
        user = await django_user(info.session)
        if not user.is_authenticated:
            return Error({"reason": "log in first"})
        self.name = user.username
        return Ok()


class RoomChannel(Channel[UserSocket]):
    @event("whoami")
    async def whoami(self, payload):
        return Ok({"name": self.socket.name})


UserSocket.route("room:*", RoomChannel)
call_command("migrate", verbosity=0)
endpoint = Endpoint(app=get_asgi_application())
endpoint.mount("/socket", UserSocket, websocket=WebSocket(session=django_session))
