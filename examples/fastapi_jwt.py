"""A FastAPI application with channels on the same port: who logs in gets a token, and shows it when it connects.

make run EXAMPLE=fastapi_jwt
"""

import time
from contextlib import asynccontextmanager

import jwt
from fastapi import FastAPI, HTTPException

from roost import Channel, Endpoint, Error, Ok, Socket, event
from roost.jwt import Jwt

SECRET = "what this example signs with, which is no secret at all"
tokens = Jwt.with_secret(SECRET)


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.passwords = {"ada": "analytical", "grace": "compiler"}  # a database, in your application
    yield


app = FastAPI(lifespan=lifespan)


@app.post("/login")
async def login(name: str, password: str):
    if app.state.passwords.get(name) != password:
        raise HTTPException(401, "wrong name or password")
    return {"token": jwt.encode({"sub": name, "exp": time.time() + 3600}, SECRET, "HS256")}


class UserSocket(Socket):
    async def connect(self, params, info):
        match await tokens.verify(info.auth_token):
            case Ok(claims) if claims["sub"] in self.endpoint.app.state.passwords:
                self.name = claims["sub"]
                self.id = f"user:{self.name}"
                self.expires_at = claims["exp"]
                return Ok()
        return Error({"reason": "log in first"})


class RoomChannel(Channel[UserSocket]):
    @event("shout")
    async def shout(self, payload: dict):
        await self.broadcast("shout", {"name": self.socket.name, "body": payload["body"]})
        return Ok()


@app.post("/announce")
async def announce(body: str):
    await endpoint.broadcast("room:lobby", "announcement", {"body": body})
    return {"announced": body}


UserSocket.route("room:*", RoomChannel)
endpoint = Endpoint(app=app)
endpoint.mount("/socket", UserSocket, auth_token=True)
