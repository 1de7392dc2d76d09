"""How a node starts, what it refuses, and how it ends under honcho."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.node import ROOT, Node, children, kill, lives, wait_for
from tests.e2e.phoenix_js import PhoenixJs
from tests.limits import LIMIT


@pytest.fixture
def idle_node() -> Iterator[Node]:
    """A node of which nothing runs yet."""
    node = Node(shards=1, workers=1)
    yield node
    node.stop()


def honcho(node: Node, *arguments: str) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("honcho")), "start", *arguments]
    environment = {**node.environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=node.log, stderr=node.log)


def descendants(pid: int) -> set[int]:
    found = set(children(pid))
    return found | {below for child in found for below in descendants(child)}


def ended_by_themselves(node: Node) -> bool:
    """Whether honcho saw both processes end as they should."""
    told = node.logged()
    assert told.count("(rc=0)") == 2, told
    return "Traceback" not in told


def test_honcho_starts_the_node_of_the_procfile_and_ctrl_c_ends_it(idle_node: Node) -> None:
    process = honcho(idle_node)
    try:
        wait_for(lambda: "serving examples.numbers:endpoint" in idle_node.logged(), "it serves", idle_node.logged)
        pids = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)
        assert not any(map(lives, pids))
        assert not any(path.is_socket() for path in idle_node.run_dir.rglob("*"))
        assert ended_by_themselves(idle_node)
    finally:
        process.kill()
        process.wait()


def test_honcho_tells_of_two_processes_that_ended_by_themselves_when_roost_stop_was_asked(idle_node: Node) -> None:
    """It signals the gateway when the broker has ended, and that is just when the gateway ends, too."""
    process = honcho(idle_node)
    try:
        wait_for(lambda: "serving examples.numbers:endpoint" in idle_node.logged(), "it serves", idle_node.logged)
        assert idle_node.run("stop").returncode == 0
        assert process.wait(LIMIT) == 0
        assert ended_by_themselves(idle_node)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("role", ["broker", "gateway"])
async def test_a_node_whose_supervisor_was_killed_ends_and_starts_anew(
    phoenix: PhoenixJs, idle_node: Node, role: str
) -> None:
    """honcho ends with the first process that ends; whoever runs it starts it again, and the clients come back."""

    def served(times: int) -> bool:
        return idle_node.logged().count("serving examples.numbers:endpoint") == times

    def supervisor() -> int:
        lock = (idle_node.run_dir / f"{role}.lock").read_text()
        return int(lock)

    process = honcho(idle_node)
    try:
        await asyncio.to_thread(wait_for, lambda: served(1), "it serves", idle_node.logged)
        numbers = await (await phoenix.connect(idle_node.url)).join("numbers:positive")
        pids = descendants(process.pid)
        kill(supervisor())
        await asyncio.to_thread(process.wait, LIMIT)
        assert not any(map(lives, pids))
        await numbers.sees(event="phx_error")

        process = honcho(idle_node)
        await asyncio.to_thread(wait_for, lambda: served(2), "it serves again", idle_node.logged)
        before = len(numbers.payloads("update"))

        def ticks() -> bool:
            return len(numbers.payloads("update")) > before

        await phoenix.sees(lambda _: ticks(), "the numbers go on", LIMIT)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(LIMIT)


def test_two_gateways_under_honcho_are_refused_by_name_of_the_right_setting(idle_node: Node) -> None:
    process = honcho(idle_node, "-c", "gateway=2")
    process.wait(LIMIT)
    assert "ROOST_WORKERS" in idle_node.logged()
    assert "Traceback" not in idle_node.logged()


def test_a_second_broker_names_the_first(idle_node: Node) -> None:
    idle_node.start_broker()
    assert idle_node.broker is not None
    wait_for(lambda: (idle_node.run_dir / "control.sock").exists(), "the broker is up")
    second = idle_node.run("broker")
    assert second.returncode == 1
    assert f"(pid {idle_node.broker.pid})" in second.stderr
    assert second.stderr.count("\n") == 1


def test_a_taken_port_is_one_line(idle_node: Node) -> None:
    idle_node.start()
    other_run_dir = idle_node.run_dir / "other"
    other = idle_node.run("gateway", idle_node.app, "--run-dir", str(other_run_dir))
    assert other.returncode == 1
    assert other.stderr == f"port {idle_node.port} is already in use\n"


@pytest.mark.parametrize(
    ("app", "named"),
    [
        (
            "no_such_module:endpoint",
            "cannot import no_such_module: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("examples.numbers:nothing", "examples.numbers:nothing has no such attribute"),
        ("examples.chat:time", "examples.chat:time is a module, not an Endpoint"),
        ("examples.numbers", "the application is named module:attribute"),
    ],
)
def test_an_application_that_cannot_be_found_is_one_line(idle_node: Node, app: str, named: str) -> None:
    idle_node.start_broker()
    result = idle_node.run("gateway", app)
    assert result.returncode == 1
    assert named in result.stderr
    assert "Traceback" not in result.stderr


def test_a_gateway_says_that_it_waits_for_the_broker_and_goes_on(idle_node: Node) -> None:
    idle_node.gateway = idle_node.spawn(str(Path(sys.executable).with_name("roost")), "gateway", idle_node.app)
    wait_for(lambda: "waiting for a broker" in idle_node.logged(), "it says so", idle_node.logged)
    idle_node.start_broker()
    idle_node.wait_until_serving()
    assert idle_node.logged().count("waiting for a broker") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROOST_PORT", "http"),
        ("ROOST_PORT", "65536"),
        ("ROOST_SHARDS", "0"),
        ("ROOST_WORKERS", "many"),
        ("ROOST_HOST", ""),
        ("ROOST_SECRET_KEY_BASE", "short"),
        ("ROOST_RUN_DIR", "/tmp/" + "x" * 100),
    ],
)
def test_a_bad_setting_is_refused_in_one_sentence_that_names_it(idle_node: Node, variable: str, value: str) -> None:
    idle_node.environment[variable] = value
    result = idle_node.run("gateway", idle_node.app)
    assert result.returncode != 0
    assert variable in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_run_directory_that_others_can_enter_is_refused(idle_node: Node) -> None:
    idle_node.run_dir.chmod(0o755)
    result = idle_node.run("broker")
    assert result.returncode == 1
    assert "ROOST_RUN_DIR" in result.stderr
    assert result.stderr.count("\n") == 1
    idle_node.run_dir.chmod(0o700)


def test_options_win_over_the_environment(idle_node: Node) -> None:
    assert idle_node.environment["ROOST_SHARDS"] == "1"
    idle_node.broker = idle_node.spawn(str(Path(sys.executable).with_name("roost")), "broker", "--shards", "3")
    wait_for(lambda: (idle_node.run_dir / "control.sock").exists(), "the broker is up", idle_node.logged)
    wait_for(lambda: len(idle_node.status()["shards"]) == 3, "it has three shards", idle_node.logged)


def test_the_secret_is_made_once_and_is_the_owners_alone(idle_node: Node) -> None:
    idle_node.start()
    secret = idle_node.run_dir / "secret_key_base"
    assert secret.stat().st_mode & 0o777 == 0o600
    text = secret.read_text()
    assert len(text) >= 64
    idle_node.run("stop")
    idle_node.wait_until_stopped()
    idle_node.start()
    assert secret.read_text() == text


def test_the_page_is_served_on_both_loopback_addresses(idle_node: Node) -> None:
    idle_node.app = "examples.numbers:endpoint"
    idle_node.start()
    curl = shutil.which("curl")
    assert curl
    for host in ("127.0.0.1", "[::1]", "localhost"):
        page = subprocess.run(
            [curl, "-sS", f"http://{host}:{idle_node.port}/"], capture_output=True, text=True, check=True
        ).stdout
        assert re.search(r"<title>.*numbers", page)
