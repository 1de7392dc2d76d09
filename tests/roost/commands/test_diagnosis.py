"""The doctor: each fault is found and nothing else, and every fault comes with what to do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from roost.commands.diagnosis import Cluster, Directory, Facts, Finding, Port, diagnose

HEALTHY = Facts(
    version="1.0",
    node_version="1.0",
    broker_pid="7",
    silent=(),
    run_dir=Directory("/run/roost"),
    ports=(Port("ROOST_PORT", 4000, is_nodes=True),),
    max_descriptors=65_536,
    max_connections=16_384,
    backlog=4096,
    max_backlog=4096,
    cores=4,
    shards=1,
    workers=3,
    now=1_800_000_000.0,
    clock_synchronised=True,
    libraries={"Python": "3.11"},
)


def unhealthy(**changes: Any) -> list[Finding]:
    """What is found besides good health."""
    return [one for one in diagnose(replace(HEALTHY, **changes)).findings if one.verdict != "ok"]


def test_a_healthy_node_has_nothing() -> None:
    assert unhealthy() == []
    assert not diagnose(HEALTHY).wrong


@pytest.mark.parametrize(
    ("changes", "what", "verdict", "fix"),
    [
        ({"node_version": "0.9"}, "version", "wrong", "restart the node"),
        ({"node_version": None, "broker_pid": None}, "node", "note", "honcho start"),
        ({"node_version": None}, "node", "wrong", "kill 7"),
        ({"silent": ("worker 1",)}, "process", "wrong", "log"),
        ({"run_dir": Directory("/run/roost", mode=0o750)}, "run directory", "wrong", "ROOST_RUN_DIR"),
        ({"run_dir": Directory("/run/roost", is_ours=False)}, "run directory", "wrong", "ROOST_RUN_DIR"),
        ({"run_dir": Directory("/run/roost", problem="too long")}, "run directory", "wrong", "ROOST_RUN_DIR"),
        ({"run_dir": Directory("/run/roost", stale=("control.sock",))}, "sockets", "note", "next broker"),
        ({"ports": (Port("ROOST_PORT", 80, is_nodes=False, problem="taken"),)}, "port 80", "wrong", "ROOST_PORT"),
        ({"max_descriptors": 1024}, "descriptors", "wrong", "ulimit -Hn 16640"),
        ({"max_backlog": 128}, "backlog", "note", "somaxconn=4096"),
        ({"workers": 9}, "cores", "note", "ROOST_WORKERS"),
        ({"now": 0.0}, "clock", "wrong", "set the clock"),
        ({"clock_synchronised": False}, "clock", "note", "chrony"),
        ({"cluster": Cluster("nats://a", "nats://a cannot be reached")}, "cluster", "wrong", "ROOST_CLUSTER"),
        ({"cluster": Cluster("nats://a", unreadable=3)}, "cluster", "wrong", "same release"),
        ({"cluster": Cluster("nats://a", dropped=3)}, "cluster", "note", "ROOST_CLUSTER_BUFFER_BYTES"),
    ],
)
def test_each_fault_is_found_alone_and_with_its_fix(changes: dict[str, Any], what: str, verdict: str, fix: str) -> None:
    (finding,) = unhealthy(**changes)
    assert (finding.what, finding.verdict) == (what, verdict)
    assert fix in finding.fix


@pytest.mark.parametrize(
    "changes",
    [
        {"max_descriptors": None},
        {"max_backlog": None},
        {"clock_synchronised": None},
        {"run_dir": Directory("/run/roost", exists=False)},
        {"ports": (Port("ROOST_PORT", 0, is_nodes=False),)},
        {"max_descriptors": 16_640},
        {"cluster": Cluster("nats://a")},
        {"cluster": Cluster("nats://a", others=0)},
    ],
)
def test_what_is_not_known_or_just_enough_is_no_fault(changes: dict[str, Any]) -> None:
    assert unhealthy(**changes) == []


facts = st.builds(
    Facts,
    version=st.just("1"),
    node_version=st.none() | st.sampled_from(["1", "2"]),
    broker_pid=st.none() | st.just("7"),
    silent=st.lists(st.text(), max_size=2).map(tuple),
    run_dir=st.builds(Directory, st.text(), st.booleans(), st.booleans(), st.integers(0, 0o777)),
    ports=st.lists(st.builds(Port, st.text(), st.integers(0, 65535), st.booleans(), st.text()), max_size=2).map(tuple),
    max_descriptors=st.none() | st.integers(1),
    max_connections=st.integers(1),
    backlog=st.just(4096),
    max_backlog=st.none() | st.integers(1),
    cores=st.integers(1, 256),
    shards=st.integers(0, 64),
    workers=st.integers(0, 64),
    now=st.floats(0, 1e10),
    clock_synchronised=st.none() | st.booleans(),
    libraries=st.dictionaries(st.text(), st.text(), max_size=2),
    cluster=st.none() | st.builds(Cluster, st.text(), st.text(), st.none() | st.integers(0), st.integers(0)),
)


@given(facts)
def test_whatever_is_wrong_has_a_fix(found: Facts) -> None:
    diagnosis = diagnose(found)
    assert all(
        finding.says or finding.what == "engine" or finding.what.startswith("port") for finding in diagnosis.findings
    )
    assert all(finding.fix for finding in diagnosis.findings if finding.verdict != "ok")
    assert diagnosis.wrong == any(finding.verdict == "wrong" for finding in diagnosis.findings)
