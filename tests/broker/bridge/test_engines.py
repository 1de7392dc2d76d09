"""Both engines on their real servers: what every engine must do, and credentials, certificates, servers that go."""

import asyncio
import os
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nkeys
import pytest

from roost.broker.bridge.engine import Engine, EngineAway, EngineRefuses, find_engine
from roost.broker.bridge.outgoing import ToSend
from roost.shared.control import EngineOptions
from roost.shared.failures import CannotStart
from roost.testing.engine_conformance import Ear, EngineConformance, EngineLossConformance
from tests.e2e.certificate import write_certificate
from tests.engines import WHY_NO_REDIS, EngineServer, NatsServer, RedisServer

needs_redis = pytest.mark.skipif(bool(WHY_NO_REDIS), reason=WHY_NO_REDIS or "-")
SERVERS = [pytest.param(NatsServer, id="nats"), pytest.param(RedisServer, id="redis", marks=needs_redis)]


class OnOneServer(EngineConformance):
    """One server for all tests of the class."""

    @pytest.fixture
    def engine(self, running: EngineServer) -> Engine:
        return find_engine(EngineOptions((running.url,)))


class TestNats(OnOneServer):
    @pytest.fixture(scope="class")
    @classmethod
    def running(cls) -> Iterator[EngineServer]:
        with NatsServer() as running:
            yield running


@needs_redis
class TestRedis(OnOneServer):
    @pytest.fixture(scope="class")
    @classmethod
    def running(cls) -> Iterator[EngineServer]:
        with RedisServer() as running:
            yield running


class OnAServerThatGoes(EngineLossConformance):
    server: type[EngineServer]

    @pytest.fixture
    def running(self) -> Iterator[EngineServer]:
        with self.server() as running:
            yield running

    @pytest.fixture
    def engine(self, running: EngineServer) -> Engine:
        return find_engine(EngineOptions((running.url,)))

    @pytest.fixture
    def kill(self, running: EngineServer) -> Callable[[], None]:
        return running.kill


class TestNatsGoes(OnAServerThatGoes):
    server = NatsServer


@needs_redis
class TestRedisGoes(OnAServerThatGoes):
    server = RedisServer


@pytest.mark.parametrize("server", SERVERS)
class TestServersThatGo:
    async def test_who_publishes_is_told(self, server: type[EngineServer]) -> None:
        with server() as running:
            ear = Ear()
            await ear.open(find_engine(EngineOptions((running.url,))))
            await ear.connection.subscribe(["roost.a"])
            running.freeze()
            publishing = asyncio.ensure_future(ear.connection.publish([ToSend("roost.a", b"late")]))
            await asyncio.sleep(0)
            running.kill()
            async with asyncio.timeout(10):
                with pytest.raises(EngineAway):
                    await publishing
            await ear.connection.close()

    async def test_the_next_address_is_tried(self, server: type[EngineServer]) -> None:
        with server() as running:
            nobody = server().url
            ear = Ear()
            await ear.open(find_engine(EngineOptions((nobody, running.url))))
            await ear.connection.close()

    async def test_nobody_is_there(self, server: type[EngineServer]) -> None:
        nobody = server()
        with pytest.raises(EngineAway, match=str(nobody.port)):
            await find_engine(EngineOptions((nobody.url,))).connect(lambda _: None, lambda: None)

    async def test_a_frozen_server_is_given_up_in_time(self, server: type[EngineServer]) -> None:
        with server() as running:
            running.freeze()
            async with asyncio.timeout(8):
                with pytest.raises(EngineAway):
                    await find_engine(EngineOptions((running.url,))).connect(lambda _: None, lambda: None)


async def works(options: EngineOptions) -> None:
    ear = Ear()
    await ear.open(find_engine(options))
    await ear.connection.subscribe(["roost.a"])
    await ear.connection.publish([ToSend("roost.a", b"x")])
    assert await ear.hears(1) == [b"x"]
    await ear.connection.close()


async def is_refused(options: EngineOptions) -> str:
    with pytest.raises(EngineRefuses) as refused:
        await find_engine(options).connect(lambda _: None, lambda: None)
    return str(refused.value)


class TestWhoMay:
    async def test_user_and_password(self) -> None:
        with NatsServer("--user", "node", "--pass", "s3cret") as running:
            host = f"127.0.0.1:{running.port}"
            await works(EngineOptions((f"nats://node:s3cret@{host}",)))
            for url in (f"nats://{host}", f"nats://node:wrong@{host}"):
                said = await is_refused(EngineOptions((url,)))
                assert said == f"nats://{host} does not accept the credentials"

    async def test_a_token(self) -> None:
        with NatsServer("--auth", "s3cret") as running:
            await works(EngineOptions((f"nats://s3cret@127.0.0.1:{running.port}",)))
            await is_refused(EngineOptions((f"nats://wrong@127.0.0.1:{running.port}",)))

    async def test_an_nkey(self, tmp_path: Path) -> None:
        seeds = [nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER) for _ in range(2)]
        for name, seed in zip(("good", "bad"), seeds, strict=True):
            (tmp_path / name).write_bytes(seed)
        public = nkeys.from_seed(bytearray(seeds[0])).public_key.decode()
        (tmp_path / "conf").write_text(f"authorization: {{ users: [{{ nkey: {public} }}] }}")
        with NatsServer("-c", str(tmp_path / "conf")) as running:
            await works(EngineOptions((running.url,), credentials=str(tmp_path / "good")))
            await is_refused(EngineOptions((running.url,), credentials=str(tmp_path / "bad")))

    @needs_redis
    async def test_a_password_of_redis(self) -> None:
        with RedisServer("--requirepass", "s3cret") as running:
            await works(EngineOptions((f"redis://:s3cret@127.0.0.1:{running.port}",)))
            for url in (running.url, f"redis://:wrong@127.0.0.1:{running.port}"):
                said = await is_refused(EngineOptions((url,)))
                assert "s3cret" not in said
                assert "wrong" not in said
                assert "does not accept the credentials" in said

    async def test_certificates_of_nats(self, tmp_path: Path) -> None:
        with NatsServer(*tls_options(tmp_path, "--tlscert", "--tlskey", "--tlscacert"), "--tlsverify") as running:
            await certificates_count(f"tls://localhost:{running.port}", tmp_path)

    async def test_what_was_to_be_encrypted_is_never_sent_in_clear(self, tmp_path: Path) -> None:
        cafile = str(write_certificate(tmp_path)[0])
        with NatsServer("--user", "node", "--pass", "s3cret") as running:
            host = f"node:s3cret@127.0.0.1:{running.port}"
            for options in (EngineOptions((f"tls://{host}",)), EngineOptions((f"nats://{host}",), cafile=cafile)):
                assert "speaks no TLS, and that was asked for" in await is_refused(options)

    async def test_a_server_that_leaves_it_to_us_is_spoken_to_in_tls(self, tmp_path: Path) -> None:
        certfile, keyfile = map(str, write_certificate(tmp_path))
        (tmp_path / "conf").write_text(f'tls {{ cert_file: "{certfile}", key_file: "{keyfile}" }}, allow_non_tls: true')
        with NatsServer("-c", str(tmp_path / "conf")) as running:
            await works(EngineOptions((f"tls://localhost:{running.port}",), cafile=certfile))
            await works(EngineOptions((running.url,)))

    async def test_who_may_not_use_our_subjects_is_told(self, tmp_path: Path) -> None:
        for number, may in enumerate(('publish: "x", subscribe: "roost.>"', 'publish: "roost.>", subscribe: "x"')):
            (tmp_path / "conf").write_text(
                f"authorization {{ users: [{{ user: u, password: p, permissions: {{ {may} }} }}] }}"
            )
            with NatsServer("-c", str(tmp_path / "conf")) as running:
                kind = ("publish", "subscription")[number]
                said = await is_forbidden(EngineOptions((f"nats://u:p@127.0.0.1:{running.port}",)))
                assert said.endswith(f'does not let us: nats: permissions violation for {kind} to "roost.a"')

    @needs_redis
    async def test_who_may_not_use_our_channels_of_redis_is_told(self) -> None:
        for may in (["+@all", "&x"], ["+@all", "-publish", "&*"]):
            with RedisServer("--user", "u", "on", ">p", "~*", *may) as running:
                said = await is_forbidden(EngineOptions((f"redis://u:p@127.0.0.1:{running.port}",)))
                assert "does not let us" in said
                assert "no permission" in said

    @needs_redis
    async def test_certificates_of_redis(self, tmp_path: Path) -> None:
        options = tls_options(tmp_path, "--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
        with TlsRedis(*options) as running:
            await certificates_count(f"rediss://localhost:{running.port}", tmp_path)


async def is_forbidden(options: EngineOptions) -> str:
    ear = Ear()
    await ear.open(find_engine(options))

    async def speak() -> None:
        await ear.connection.subscribe(["roost.a"])
        await ear.connection.publish([ToSend("roost.a", b"x")])

    with pytest.raises(EngineRefuses) as refused:
        await speak()
    await ear.connection.close()
    return str(refused.value)


def tls_options(directory: Path, cert: str, key: str, ca: str) -> list[str]:
    """Of a server that has a certificate and wants to see the same one."""
    certfile, keyfile = map(str, write_certificate(directory))
    return [cert, certfile, key, keyfile, ca, certfile]


async def certificates_count(url: str, directory: Path) -> None:
    own, key = directory / "cert.pem", directory / "key.pem"
    (directory / "other").mkdir()
    other, _ = write_certificate(directory / "other")
    await works(EngineOptions((url,), cafile=str(own), certfile=str(own), keyfile=str(key)))
    untrusted = EngineOptions((url,), cafile=str(other), certfile=str(own), keyfile=str(key))
    assert "cannot be trusted" in await is_refused(untrusted)


def some_authorities() -> str:
    """Some file of certificates."""
    return ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"


class TlsRedis(RedisServer):
    """redis-server that speaks nothing but TLS."""

    def command(self) -> list[str]:
        return [part if part != "--port" else "--tls-port" for part in super().command()] + ["--port", "0"]


class TestWhichEngine:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (EngineOptions(("carrier://pigeon",)), "no engine has addresses that begin with carrier://"),
            (EngineOptions(("nats://localhost",), credentials="/nowhere"), "/nowhere cannot be read"),
            (EngineOptions(("redis://localhost",), credentials="/nowhere"), "is for NATS"),
            (EngineOptions(("nats://localhost",), credentials="/dev/null"), "no NATS credentials, and no seed"),
            (EngineOptions(("nats://localhost",), cafile="/nowhere"), "ROOST_CLUSTER_CAFILE"),
            (EngineOptions(("tls://localhost",), keyfile="/nowhere"), "there is no ROOST_CLUSTER_CERTFILE"),
            (EngineOptions(("rediss://localhost",), cafile="/nowhere"), "ROOST_CLUSTER_CAFILE"),
            (
                EngineOptions(("redis://localhost",), cafile=some_authorities()),
                "redis:// is not encrypted: write rediss://",
            ),
            (EngineOptions(("redis://localhost?no=thing",)), "redis://localhost cannot be used: .*'no'"),
        ],
    )
    def test_what_cannot_work_is_said_in_a_sentence(self, options: EngineOptions, sentence: str) -> None:
        with pytest.raises(CannotStart, match=sentence):
            find_engine(options)

    @pytest.mark.parametrize(
        ("url", "missing", "extra"),
        [("nats://a", "nats", "nats"), ("tls://a", "nkeys", "nats"), ("rediss://a", "redis", "redis")],
    )
    def test_what_is_not_installed_is_named(
        self, url: str, missing: str, extra: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in [name for name in sys.modules if name.partition(".")[0] == missing]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, missing, None)
        for engine in ("nats", "redis"):
            monkeypatch.delitem(sys.modules, f"roost.broker.bridge.{engine}_engine", raising=False)
        with pytest.raises(CannotStart, match=rf":// needs {missing}: pip install 'roost\[{extra}\]'"):
            find_engine(EngineOptions((url,)))

    def test_secrets_are_not_shown(self) -> None:
        options = EngineOptions(("nats://user:s3cret@a:4222", "nats://t0ken@b:4222"))
        assert find_engine(options).address == "nats://a:4222, nats://b:4222"

    def test_an_engine_of_somebody_elses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Found:
            name = "mine"

            @staticmethod
            def load() -> Callable[[EngineOptions], Any]:
                return lambda options: f"an engine at {options.urls[0]}"

        monkeypatch.setattr(
            "roost.broker.bridge.engine.entry_points", lambda group: [Found] if group == "roost.engines" else []
        )
        assert find_engine(EngineOptions(("mine://here",))) == "an engine at mine://here"  # type: ignore[comparison-overlap]
