"""Settings: their defaults, which source wins, and sentences that refuse a bad value and name it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.config import MAX_SHARDS, MAX_WORKERS, BadSetting, Machine, Setting, Settings, read_settings

MACHINE = Machine(cores=8, user=1000, temporary_directory="/tmp", runtime_directory=None)
SECRET = "s3cret" * 11
VARIABLES = [place.metadata["setting"].variable for place in fields(Settings)]


def refusal(source: Mapping[str, str]) -> str:
    """The sentence with which these settings are refused."""
    with pytest.raises(BadSetting) as refused:
        read_settings(MACHINE, source)
    return str(refused.value)


def test_defaults() -> None:
    settings = read_settings(MACHINE)
    assert (settings.port, settings.host) == (4000, "localhost")
    assert settings.run_dir == "/tmp/roost-1000"
    assert settings.secret_key_base is None
    assert settings.trusted_proxies == read_settings(MACHINE, {"ROOST_TRUSTED_PROXIES": " "}).trusted_proxies == ()


@pytest.mark.parametrize("cores", [1, 2, 3, 4, 16, 64])
def test_every_machine_gets_processes_that_it_has_cores_for(cores: int) -> None:
    settings = read_settings(Machine(cores, 0, "/tmp", None))
    assert 1 <= settings.shards <= cores
    assert 1 <= settings.workers <= cores
    assert settings.shards <= MAX_SHARDS
    assert settings.workers <= MAX_WORKERS


def test_the_session_has_a_directory_of_its_own_where_there_is_one() -> None:
    assert read_settings(Machine(1, 1000, "/tmp", "/run/user/1000")).run_dir == "/run/user/1000/roost"


def test_values_are_read() -> None:
    source = {
        "ROOST_PORT": "0",
        "ROOST_HOST": "::1",
        "ROOST_SHARDS": "64",
        "ROOST_WORKERS": "1",
        "ROOST_RUN_DIR": "/somewhere",
        "ROOST_NODE": "küste-1",
        "ROOST_SECRET_KEY_BASE": SECRET,
        "ROOST_OLD_SECRET_KEY_BASES": f" {SECRET[::-1]}  {SECRET} ",
        "ROOST_STALL_LIMIT": "2.5",
        "ROOST_TRUSTED_PROXIES": "10.0.0.7, 192.0.2.0/255.255.255.0,2001:DB8::/32 , 0:0::1,*",
        "UNRELATED": "x",
    }
    assert read_settings(MACHINE, source) == replace(
        read_settings(MACHINE),
        port=0,
        host="::1",
        shards=64,
        workers=1,
        run_dir="/somewhere",
        node="küste-1",
        secret_key_base=SECRET,
        old_secret_key_bases=(SECRET[::-1], SECRET),
        stall_limit=2.5,
        trusted_proxies=("10.0.0.7", "192.0.2.0/24", "2001:db8::/32", "::1", "*"),
    )


def test_the_first_source_that_has_a_variable_wins() -> None:
    settings = read_settings(MACHINE, {"ROOST_PORT": "1"}, {"ROOST_PORT": "2", "ROOST_SHARDS": "3"})
    assert (settings.port, settings.shards) == (1, 3)


def test_variables_are_named_after_their_settings() -> None:
    assert [f"ROOST_{place.name.upper()}" for place in fields(Settings)] == VARIABLES


@pytest.mark.parametrize("place", fields(Settings), ids=lambda place: str(place.name))
def test_every_setting_has_a_meaning(place: object) -> None:
    setting: Setting = place.metadata["setting"]  # type: ignore[attr-defined]
    assert setting.meaning.strip()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *(("ROOST_PORT", text) for text in ("", "x", "-1", "65536", "4000.0", " 4000", "4_000", "+1", "٤٠٠٠", "²")),
        *(("ROOST_SHARDS", text) for text in ("0", "65", "two", "")),
        *(("ROOST_WORKERS", text) for text in ("0", "65", "two", "")),
        *(("ROOST_STALL_LIMIT", text) for text in ("0", "0.4", "3601", "1e3", "-1", "nan", "inf", "ten", "", " 1")),
        *(("ROOST_HOST", text) for text in ("", "local\0host")),
        *(("ROOST_NODE", text) for text in ("", "a b", "a\n", "a\0", "a\ud800", "ü" * 128, "all")),
        *(("ROOST_RUN_DIR", text) for text in ("", "/run\0/roost")),
        *(
            ("ROOST_TRUSTED_PROXIES", text)
            for text in (
                *("proxy", "10.0.0.1,", ",", "10.0.0.1 10.0.0.2", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "1"),
                *("[::1]", "127.0.0.1:80", "fe80::1%eth0", "fe80::%eth0/64", "**", "10.0.0.1\nx", "010.0.0.1"),
            )
        ),
        ("ROOST_SECRET_KEY_BASE", "short"),
        ("ROOST_SECRET_KEY_BASE", ""),
    ],
)
def test_a_refusal_is_one_sentence_that_names_the_variable(variable: str, text: str) -> None:
    sentence = refusal({variable: text})
    assert sentence.startswith(f"{variable} must be ")
    assert sentence.count("\n") == 0
    assert [name for name in VARIABLES if name in sentence] == [variable]
    if variable != "ROOST_SECRET_KEY_BASE":
        assert repr(text) in sentence


@given(st.sampled_from(VARIABLES), st.text(max_size=200))
def test_no_text_does_worse_than_a_refusal(variable: str, text: str) -> None:
    with suppress(BadSetting):
        read_settings(MACHINE, {variable: text})


@pytest.mark.parametrize(("low", "high", "variable"), [(0, 65535, "ROOST_PORT"), (1, MAX_SHARDS, "ROOST_SHARDS")])
def test_the_edges_of_a_range_belong_to_it(low: int, high: int, variable: str) -> None:
    name = variable.removeprefix("ROOST_").lower()
    for number in (low, high):
        assert getattr(read_settings(MACHINE, {variable: str(number)}), name) == number
    for number in (low - 1, high + 1):
        assert f"from {low} to {high}" in refusal({variable: str(number)})


@given(st.text("ΞΨΩ\n'\"🪺\\", min_size=10, max_size=15))
def test_secrets_are_not_echoed(secret: str) -> None:
    for variable in ("ROOST_SECRET_KEY_BASE", "ROOST_OLD_SECRET_KEY_BASES"):
        sentence = refusal({variable: "short " + secret})
        assert secret not in sentence
        assert repr(secret)[1:-1] not in sentence


def test_a_secrets_length_is_counted_in_bytes() -> None:
    assert read_settings(MACHINE, {"ROOST_SECRET_KEY_BASE": "é" * 32}).secret_key_base == "é" * 32
    assert "64 bytes" in refusal({"ROOST_SECRET_KEY_BASE": "x" * 63})


@pytest.mark.parametrize(("text", "port"), [("off", None), ("0", 0), ("4001", 4001)])
def test_the_admin_port_can_be_off_and_is_unless_it_is_given(text: str, port: int | None) -> None:
    assert read_settings(MACHINE).admin_port is None
    assert read_settings(MACHINE, {"ROOST_ADMIN_PORT": text}).admin_port == port


@pytest.mark.parametrize("text", ["", "on", "65536", "-1", "Off"])
def test_what_is_no_admin_port_is_refused_with_both_ways_out(text: str) -> None:
    assert refusal({"ROOST_ADMIN_PORT": text}) == (
        f"ROOST_ADMIN_PORT must be a whole number from 0 to 65535, or off, not {text!r}"
    )
