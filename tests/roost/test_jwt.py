"""JSON Web Tokens: what is signed by whom we trust is taken, nothing else is, and keys may change."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from roost import Error, Ok
from roost import jwt as module
from roost.jwt import Jwt

SECRET = "a secret of tests, at least 32 characters long"
CLAIMS = {"sub": "ada", "exp": 4_000_000_000}


def pem(key: Any) -> str:
    public: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return public.decode()


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


class TestSecrets:
    async def test_a_token_of_ours_is_taken(self) -> None:
        assert await Jwt.with_secret(SECRET).verify(jwt.encode(CLAIMS, SECRET, "HS256")) == Ok(CLAIMS)

    async def test_of_several_secrets_each_will_do(self) -> None:
        tokens = Jwt.with_secret("the new secret of these tests, which is long", SECRET)
        assert await tokens.verify(jwt.encode(CLAIMS, SECRET, "HS256")) == Ok(CLAIMS)

    @pytest.mark.parametrize("token", ["", "a.b.c", "x" * 20_000, 17, {"nested": "parameter"}, "é", "a.b"])
    async def test_what_is_no_token_is_invalid(self, token: Any) -> None:
        assert await Jwt.with_secret(SECRET).verify(token) == Error("invalid")

    async def test_none_is_missing(self) -> None:
        assert await Jwt.with_secret(SECRET).verify(None) == Error("missing")

    async def test_another_secret_is_invalid(self) -> None:
        token = jwt.encode(CLAIMS, "another secret, of at least 32 characters", "HS256")
        assert await Jwt.with_secret(SECRET).verify(token) == Error("invalid")

    async def test_one_that_is_too_old_has_expired_but_for_the_leeway(self) -> None:
        token = jwt.encode({"exp": time.time() - 10}, SECRET, "HS256")
        assert await Jwt.with_secret(SECRET).verify(token) == Error("expired")
        assert isinstance(await Jwt.with_secret(SECRET, leeway=60).verify(token), Ok)

    async def test_audience_and_issuer_are_held_to(self) -> None:
        tokens = Jwt.with_secret(SECRET, audience="chat", issuer="login")
        right = jwt.encode({**CLAIMS, "aud": "chat", "iss": "login"}, SECRET, "HS256")
        assert isinstance(await tokens.verify(right), Ok)
        for wrong in ({"aud": "shop", "iss": "login"}, {"aud": "chat", "iss": "else"}, {}):
            assert await tokens.verify(jwt.encode({**CLAIMS, **wrong}, SECRET, "HS256")) == Error("invalid")

    def test_a_short_secret_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least 32 characters"):
            Jwt.with_secret("short")

    async def test_a_token_without_a_signature_is_invalid(self) -> None:
        token = jwt.encode(CLAIMS, "", "none")
        assert await Jwt.with_secret(SECRET).verify(token) == Error("invalid")


class TestPublicKeys:
    @pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
    async def test_a_token_of_the_private_key_is_taken(self, key: Any, algorithm: str) -> None:
        assert await Jwt.with_public_key(pem(RSA), pem(EC)).verify(jwt.encode(CLAIMS, key, algorithm)) == Ok(CLAIMS)

    async def test_the_public_key_is_no_secret(self) -> None:
        with pytest.raises(ValueError, match="a public key is for"):
            Jwt.with_public_key(pem(RSA), algorithms=("HS256",))
        with pytest.raises(ValueError, match="a secret is for"):
            Jwt.with_secret(SECRET, algorithms=("RS256",))


class KeyServer(HTTPServer):
    """Serves a key set that tests change."""

    keys: dict[str, Any]
    asked = 0
    broken = False


class Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked += 1
        algorithm = jwt.get_algorithm_by_name("RS256")
        keys = [
            {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": "RS256", "use": "sig"}
            for name, key in self.server.keys.items()
        ]
        self.send_response(500 if self.server.broken else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": keys}).encode())

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(("127.0.0.1", 0), Handler) as server:
        server.keys = {"one": RSA}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


class TestKeySets:
    def url(self, server: KeyServer) -> str:
        return f"http://127.0.0.1:{server.server_port}/keys.json"

    def token(self, name: str, key: Any = RSA) -> str:
        return jwt.encode(CLAIMS, key, "RS256", headers={"kid": name})

    async def test_keys_are_fetched_once(self, server: KeyServer) -> None:
        tokens = Jwt.with_key_set(self.url(server))
        for _ in range(3):
            assert await tokens.verify(self.token("one")) == Ok(CLAIMS)
        assert server.asked == 1

    async def test_a_new_key_is_fetched_when_a_token_names_it(
        self, server: KeyServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "UNKNOWN_SECONDS", 0.0)
        tokens = Jwt.with_key_set(self.url(server))
        assert await tokens.verify(self.token("one")) == Ok(CLAIMS)
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        server.keys = {"two": other}
        assert await tokens.verify(self.token("two", other)) == Ok(CLAIMS)
        assert await tokens.verify(self.token("one")) == Error("invalid")

    async def test_tokens_that_name_nothing_known_cause_no_storm(self, server: KeyServer) -> None:
        tokens = Jwt.with_key_set(self.url(server))
        for number in range(5):
            assert await tokens.verify(self.token(f"made up {number}")) == Error("invalid")
        assert server.asked == 1

    async def test_when_the_url_does_not_answer_known_keys_stay_good(
        self, server: KeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        tokens = Jwt.with_key_set(self.url(server))
        assert await tokens.verify(self.token("one")) == Ok(CLAIMS)
        monkeypatch.setattr(module, "KEEP_SECONDS", 0.0)
        monkeypatch.setattr(module, "UNKNOWN_SECONDS", 0.0)
        server.broken = True
        assert await tokens.verify(self.token("one")) == Ok(CLAIMS)
        assert "those that are known stay good" in caplog.text

    def test_plain_http_is_refused(self) -> None:
        with pytest.raises(ValueError, match="https"):
            Jwt.with_key_set("http://login.example.com/keys")
