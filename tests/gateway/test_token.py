"""Tokens: Phoenix's own, round trips, everything that refuses one, and secrets that change."""

import math
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from roost.gateway.endpoint import Endpoint
from roost.gateway.replies import Error, Ok
from roost.gateway.socket import Socket
from roost.gateway.token import Token
from roost.gateway.token_ciphers import aes_open, hchacha20, xchacha_open
from roost.gateway.token_format import KeyOptions, decrypt, derive_key, pack, sign, unpack
from roost.shared.etf import BadTerm, encode_term
from tests.gateway.lone_worker import lone_worker
from tests.shared.json_values import values

SECRET = "abcdefgh" * 8
MADE = 1_700_000_000
KINDS = (("sign", "verify"), ("encrypt", "decrypt"))

PHOENIX: list[tuple[Any, dict[str, Any], str]] = [
    (1, {"signed_at": 0}, "SFMyNTY.g2gDYQFhAGIAAVGA.6ZtIuy4vHo6LwprLkWqUde0Alr_sRLCu73PXUenFso4"),
    (
        "alice",
        {"signed_at": MADE},
        "SFMyNTY.g2gDbQAAAAVhbGljZW4GAABo5c-LAWIAAVGA.KpeCIeqSsUY72IIeDXstTKJ1tWZnaYW7I1BVdIQFk5Y",
    ),
    (
        "alice",
        {"signed_at": MADE, "salt": "other salt"},
        "SFMyNTY.g2gDbQAAAAVhbGljZW4GAABo5c-LAWIAAVGA.SXGEek4NNhM46VdcoAUfZVRGpEJWcXUoZ7FQZ6vSKgA",
    ),
    (
        {"id": 42},
        {"signed_at": MADE, "max_age": 60},
        "SFMyNTY.g2gDdAAAAAFtAAAAAmlkYSpuBgAAaOXPiwFhPA.GCxQxoxMaArCY_miUCFulyAZx1tCR2OEDnaFwZ4cFP8",
    ),
    (
        "alice",
        {"signed_at": MADE, "key_digest": "sha512"},
        "SFMyNTY.g2gDbQAAAAVhbGljZW4GAABo5c-LAWIAAVGA.mc8R0-GY1VVqEpLePNsgMhbYFKhsLhn6Caq8_GJz3Gg",
    ),
    (
        "alice",
        {"signed_at": MADE, "key_iterations": 1},
        "SFMyNTY.g2gDbQAAAAVhbGljZW4GAABo5c-LAWIAAVGA.CKzduwkcflcZyvVpXbCsBQ9irXgIJTccn3-2CN6nd5Y",
    ),
]
"""What Phoenix 1.8 made of this secret and, unless said otherwise, the salt `user auth`."""
PHOENIX_ENCRYPTED = "XCP.uM9SjFT076sHELSYDaclvZ4RgmmhEWL4623ZtKGQ1iRrO1aK-r36El-_yv4t2Fh9Bj7QK8DqPjkoQiDcm1KlU8n9qg"


def make(kind: str, context: Any, salt: str, data: Any, **options: Any) -> str:
    token: str = getattr(Token, kind)(context, salt, data, **options)
    return token


def take(kind: str, context: Any, salt: str, token: Any, **options: Any) -> Ok | Error:
    answer: Ok | Error = getattr(Token, kind)(context, salt, token, **options)
    return answer


class TestAgainstPhoenix:
    """The same bytes for the same secret."""

    def test_keys(self) -> None:
        key = derive_key(SECRET, "user auth", KeyOptions())
        assert key.hex() == "2accee82cd986fd3c15e55abf3db03db01e891a4bb9469389a7584fdda020199"

    @pytest.mark.parametrize(("data", "options", "token"), PHOENIX)
    def test_signed_tokens(self, data: Any, options: dict[str, Any], token: str) -> None:
        salt = options.get("salt", "user auth")
        made = {name: value for name, value in options.items() if name != "salt"}
        keys = {name: value for name, value in made.items() if name.startswith("key_")}
        assert Token.sign(SECRET, salt, data, **made) == token
        assert Token.verify(SECRET, salt, token, max_age=math.inf, **keys) == Ok(data)

    def test_an_encrypted_token(self) -> None:
        assert Token.decrypt(SECRET, "secret", PHOENIX_ENCRYPTED, max_age=math.inf) == Ok("alice")

    def test_the_cipher_of_the_draft(self) -> None:
        """The vector of draft-irtf-cfrg-xchacha-03, section 2.2.1."""
        key = bytes(range(32))
        nonce = bytes.fromhex("000000090000004a0000000031415927")
        assert hchacha20(key, nonce).hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"

    def test_tokens_of_older_releases(self) -> None:
        key = derive_key(SECRET, "secret", KeyOptions())
        assert decrypt(key, _encrypted_by_plug_crypto_1(key, b"payload")) == b"payload"

    @pytest.mark.parametrize("payload", [("alice", MADE * 1000), {"data": "alice", "signed": MADE * 1000}])
    def test_payloads_of_older_releases(self, payload: Any) -> None:
        made = MADE * 1000
        assert unpack(encode_term(payload), None, made + 86_400_000) == ("alice", None)
        assert unpack(encode_term(payload), None, made + 86_400_001) == (None, "expired")


def _encrypted_by_plug_crypto_1(key: bytes, payload: bytes) -> str:
    from base64 import urlsafe_b64encode

    content_key, nonce = bytes(range(16)), bytes(12)
    wrapped = AESGCM(key).encrypt(nonce, content_key, b"") + nonce
    sealed = AESGCM(content_key).encrypt(nonce, payload, b"A128GCM")
    parts = (b"A128GCM", wrapped, nonce, sealed[:-16], sealed[-16:])
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(("maker", "taker"), KINDS)
class TestBothKinds:
    """Signed and encrypted tokens answer alike (upstream's cases TK-01 to TK-10)."""

    @given(values, st.text(st.characters(codec="utf-8")))
    def test_what_goes_in_comes_out(self, maker: str, taker: str, data: Any, salt: str) -> None:
        assert take(taker, SECRET, salt, make(maker, SECRET, salt, data)) == Ok(data)

    async def test_tk_02_and_03_endpoints_and_what_they_serve_are_contexts(self, maker: str, taker: str) -> None:
        endpoint = Endpoint()
        socket = Socket()
        socket.endpoint = endpoint
        with pytest.raises(RuntimeError, match="not being served"):
            make(maker, socket, "salt", 1)
        with lone_worker(endpoint) as runtime:
            endpoint.serve(runtime, (SECRET,))
            for context in (endpoint, socket):
                assert take(taker, SECRET, "salt", make(maker, context, "salt", 1)) == Ok(1)
                assert take(taker, context, "salt", make(maker, SECRET, "salt", 1)) == Ok(1)

    def test_tk_04_none_is_missing(self, maker: str, taker: str) -> None:
        assert take(taker, SECRET, "salt", None) == Error("missing")

    @pytest.mark.parametrize(
        "token", ["", "garbage", ".", "..", "a.b.c", "SFMyNTY.g2gDYQFhAGIAAVGA.", "XCP.", "XCP.AA", "é", "x" * 100_000]
    )
    def test_tk_05_garbage_is_invalid(self, maker: str, taker: str, token: str) -> None:
        assert take(taker, SECRET, "salt", token) == Error("invalid")

    @pytest.mark.parametrize("token", [1, [], ["a"], {"a": "b"}, True, b"a"])
    def test_a_parameter_that_is_no_string_is_invalid(self, maker: str, taker: str, token: Any) -> None:
        assert take(taker, SECRET, "salt", token) == Error("invalid")

    def test_tk_05_another_salt_or_secret_is_invalid(self, maker: str, taker: str) -> None:
        token = make(maker, SECRET, "salt", 1)
        assert take(taker, SECRET, "pepper", token) == Error("invalid")
        assert take(taker, SECRET[::-1], "salt", token) == Error("invalid")

    def test_tk_06_ages(self, maker: str, taker: str) -> None:
        token = make(maker, SECRET, "salt", 1, signed_at=time.time() - 100)
        assert take(taker, SECRET, "salt", token, max_age=1000) == Ok(1)
        assert take(taker, SECRET, "salt", token, max_age=110.5) == Ok(1)
        for age in (99, 99.5, 0.1, 0, -1000):
            assert take(taker, SECRET, "salt", token, max_age=age) == Error("expired")

    def test_tk_07_infinity(self, maker: str, taker: str) -> None:
        old = make(maker, SECRET, "salt", 1, signed_at=0)
        assert take(taker, SECRET, "salt", old, max_age=math.inf) == Ok(1)
        ageless = make(maker, SECRET, "salt", 1, signed_at=0, max_age=math.inf)
        assert take(taker, SECRET, "salt", ageless) == Ok(1)

    def test_tk_08_a_day_unless_something_else_is_said(self, maker: str, taker: str) -> None:
        day = 24 * 60 * 60
        fresh = make(maker, SECRET, "salt", 1, signed_at=time.time() - day + 100)
        stale = make(maker, SECRET, "salt", 1, signed_at=time.time() - day - 1)
        assert take(taker, SECRET, "salt", fresh) == Ok(1)
        assert take(taker, SECRET, "salt", stale) == Error("expired")
        assert take(taker, SECRET, "salt", stale, max_age=day + 100) == Ok(1)

    def test_the_age_of_signing_counts(self, maker: str, taker: str) -> None:
        token = make(maker, SECRET, "salt", 1, signed_at=time.time() - 100, max_age=50)
        assert take(taker, SECRET, "salt", token) == Error("expired")

    def test_a_token_of_tomorrow_is_invalid(self, maker: str, taker: str) -> None:
        token = make(maker, SECRET, "salt", 1, signed_at=time.time() + 1000)
        assert take(taker, SECRET, "salt", token) == Error("invalid")
        assert take(taker, SECRET, "salt", token, max_age=math.inf) == Ok(1)

    @pytest.mark.parametrize("options", [{"key_iterations": 1}, {"key_digest": "sha512"}, {"key_digest": "sha384"}])
    def test_tk_09_and_10_key_options_are_part_of_the_key(self, maker: str, taker: str, options: Any) -> None:
        token = make(maker, SECRET, "salt", 1, **options)
        assert take(taker, SECRET, "salt", token) == Error("invalid")
        assert take(taker, SECRET, "salt", token, **options) == Ok(1)

    def test_secrets_can_be_replaced(self, maker: str, taker: str) -> None:
        old, new = SECRET, SECRET[::-1]
        before = make(maker, old, "salt", 1)
        after = make(maker, [new, old], "salt", 2)
        assert take(taker, [new, old], "salt", before) == Ok(1)
        assert take(taker, new, "salt", after) == Ok(2)
        assert take(taker, new, "salt", before) == Error("invalid")

    @settings(max_examples=300)
    @given(st.data())
    def test_every_flipped_bit_is_noticed(self, maker: str, taker: str, data: st.DataObject) -> None:
        token = make(maker, SECRET, "salt", {"id": 42}).encode()
        damaged = bytearray(token)
        damaged[data.draw(st.integers(0, len(token) - 1))] ^= 1 << data.draw(st.integers(0, 6))
        assert take(taker, SECRET, "salt", damaged.decode()) == Error("invalid")

    def test_one_text_for_one_token(self, maker: str, taker: str) -> None:
        token = make(maker, SECRET, "salt", 1)
        assert take(taker, SECRET, "salt", token) == Ok(1)
        for other in (token + "=", token + "\n", " " + token, token.replace(".", "..", 1), token + "."):
            assert take(taker, SECRET, "salt", other) == Error("invalid")

    def test_secrets_too_short(self, maker: str, taker: str) -> None:
        with pytest.raises(ValueError, match="at least 20 bytes"):
            make(maker, "x" * 19, "salt", 1)
        assert make(maker, "x" * 20, "salt", 1)

    @pytest.mark.parametrize("context", [None, 1, [], [1], object()])
    def test_what_is_no_context(self, maker: str, taker: str, context: Any) -> None:
        with pytest.raises(TypeError, match="tokens need an endpoint"):
            make(maker, context, "salt", 1)

    def test_data_that_json_cannot_express(self, maker: str, taker: str) -> None:
        with pytest.raises(ValueError, match="cannot be written"):
            make(maker, SECRET, "salt", object())

    def test_an_unknown_digest(self, maker: str, taker: str) -> None:
        with pytest.raises(ValueError, match="key_digest must be one of"):
            make(maker, SECRET, "salt", 1, key_digest="md5")


def test_every_bit_of_a_sealed_payload_counts() -> None:
    key = derive_key(SECRET, "salt", KeyOptions())
    from roost.gateway.token_ciphers import xchacha_seal

    sealed = xchacha_seal(key, bytes(range(24)), b"payload")
    assert xchacha_open(key, sealed) == b"payload"
    for bit in range(len(sealed) * 8):
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        assert xchacha_open(key, bytes(damaged)) is None


@pytest.mark.parametrize("sizes", [(1, 44, 12, 16), (32, 1, 12, 16), (32, 44, 1, 16), (32, 44, 12, 1)])
def test_sizes_that_no_release_used(sizes: tuple[int, ...]) -> None:
    key, wrapped, nonce, tag = map(bytes, sizes)
    assert aes_open(key, wrapped, nonce, b"", tag) is None


def test_a_key_of_another_length_does_not_encrypt() -> None:
    with pytest.raises(ValueError, match="key_length of 32"):
        Token.encrypt(SECRET, "salt", 1, key_length=16)
    assert Token.decrypt(SECRET, "salt", PHOENIX_ENCRYPTED, key_length=20) == Error("invalid")


def test_a_signed_payload_that_is_no_token_is_invalid() -> None:
    key = derive_key(SECRET, "salt", KeyOptions())
    for payload in (b"", b"\x83", encode_term(1), encode_term((1, "a", 3)), encode_term((1, 0, "never"))):
        assert Token.verify(SECRET, "salt", sign(key, payload)) == Error("invalid")


def test_data_has_a_limit_of_depth() -> None:
    data: Any = []
    for _ in range(300):
        data = [data]
    with pytest.raises(BadTerm):
        pack(data, 0, 1)


def test_tk_11_defaults() -> None:
    options = {"key_iterations": 1000, "key_length": 32, "key_digest": "sha256"}
    assert Token.verify(SECRET, "salt", Token.sign(SECRET, "salt", 1), **options) == Ok(1)  # type: ignore[arg-type]
