"""The files in docs/deploy are what systemd, Docker Compose and Kubernetes take, and say what Roost takes."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from roost import cli as _commands  # noqa: F401 - it adds them
from roost.commands.options import cli
from roost.shared.settings_table import complaints

DEPLOY: Final = Path(__file__).parents[1] / "docs" / "deploy"
ROOST: Final = str(Path(sys.executable).with_name("roost"))
UNITS: Final = ("roost-broker.service", "roost-gateway.service")
SYSTEMD: Final = shutil.which("systemd-analyze")
KINDS: Final = {
    "Service": "v1",
    "StatefulSet": "apps/v1",
    "Deployment": "apps/v1",
    "PodDisruptionBudget": "policy/v1",
}
POD: Final = {
    *("terminationGracePeriodSeconds", "shareProcessNamespace", "securityContext", "topologySpreadConstraints"),
    *("initContainers", "containers", "volumes"),
}
CONTAINER: Final = {
    *("name", "image", "command", "args", "env", "ports", "lifecycle", "startupProbe", "livenessProbe"),
    *("readinessProbe", "volumeMounts", "resources"),
}
PROBE: Final = {"exec", "httpGet", "periodSeconds", "timeoutSeconds", "failureThreshold"}
COMPOSE_SERVICE: Final = {
    *("image", "build", "command", "restart", "stop_grace_period", "volumes", "environment", "depends_on"),
    *("healthcheck", "ports", "ulimits"),
}


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((DEPLOY / name).read_text())
    return parser


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def pods() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"] for one in manifests() if "template" in one["spec"]]


def containers() -> list[dict[str, Any]]:
    return [one for pod in pods() for one in (*pod.get("initContainers", []), *pod["containers"])]


def commands() -> Iterator[list[str]]:
    """Everything of ours that the files run."""
    for name in UNITS:
        for key in ("ExecStart", "ExecStop"):
            if line := unit(name)["Service"].get(key):
                yield shlex.split(line.lstrip("-"))
    for service in compose()["services"].values():
        yield service["command"]
        yield service.get("healthcheck", {"test": ["CMD"]})["test"][1:]
    for container in containers():
        yield container.get("command", [])
        yield from (one["exec"]["command"] for key, one in container.items() if "Probe" in key and "exec" in one)
        if hook := container.get("lifecycle"):
            yield hook["preStop"]["exec"]["command"]


def settings() -> Iterator[dict[str, str]]:
    """Each set of environment variables."""
    lines = (DEPLOY / "roost.env").read_text().splitlines()
    yield dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    yield dict(re.findall(r"(ROOST_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))
    for name in UNITS:
        yield dict(re.findall(r"^Environment=(ROOST_\w+)=(\S+)$", (DEPLOY / name).read_text(), re.MULTILINE))
    for service in compose()["services"].values():
        yield {name: value for name, value in service.get("environment", {}).items() if "$" not in value}
    for container in containers():
        yield {one["name"]: one["value"] for one in container.get("env", []) if "value" in one}


def test_the_commands_are_commands_of_ours() -> None:
    root = typer.main.get_command(cli)
    ours = [words for words in commands() if words and Path(words[0]).name == "roost"]
    assert len(ours) >= 10
    for _, name, *arguments in ours:
        command = root.commands[name]  # type: ignore[attr-defined]
        command.make_context(name, arguments)


def test_the_settings_are_settings_of_ours() -> None:
    found = list(settings())
    assert all(found[:4])
    assert [complaints(values) for values in found] == [[] for _ in found]


def test_whoever_stops_a_node_gives_it_the_time_that_it_was_told() -> None:
    for name in UNITS:
        (limit,) = re.findall(r"ROOST_STOP_LIMIT=(\d+)", (DEPLOY / name).read_text())
        assert unit(name)["Service"]["TimeoutStopSec"] == limit
    for name in ("broker", "gateway"):
        service = compose()["services"][name]
        assert service["stop_grace_period"] == f"{service['environment']['ROOST_STOP_LIMIT']}s"
    (pod,) = (one for one in pods() if "initContainers" in one)
    for container in pod["containers"]:
        (limit,) = (one["value"] for one in container["env"] if one["name"] == "ROOST_STOP_LIMIT")
        assert int(limit) < pod["terminationGracePeriodSeconds"]


def verify(folder: Path, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace("/srv/app/.venv/bin/roost", ROOST)
        (folder / name).write_text(text.replace(*change) if change[0] else text)
    command = [str(SYSTEMD), "verify", "--man=no", *(str(folder / name) for name in UNITS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(SYSTEMD is None, reason="there is no systemd-analyze here (Debian: apt-get install systemd)")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verified = verify(tmp_path)
    assert (verified.returncode, verified.stderr) == (0, "")
    assert "KillMod" in verify(tmp_path, ("KillMode=", "KillMod=")).stderr


def test_compose_names_only_what_there_is() -> None:
    whole = compose()
    assert set(whole) == {"name", "x-node", "services", "volumes"}
    for service in whole["services"].values():
        assert set(service) <= COMPOSE_SERVICE
        assert set(service.get("depends_on", ())) <= set(whole["services"])
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(whole["volumes"])


def has_compose() -> bool:
    docker = shutil.which("docker")
    return docker is not None and not subprocess.run([docker, "compose", "version"], capture_output=True).returncode


@pytest.mark.skipif(not has_compose(), reason="there is no `docker compose` here")
def test_docker_compose_takes_the_file() -> None:
    run = subprocess.run(
        ["docker", "compose", "-f", str(DEPLOY / "compose.yaml"), "config", "-q"],
        env={"PATH": "/usr/bin:/usr/local/bin", "ROOST_SECRET_KEY_BASE": "x" * 64},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_kubernetes_objects_fit_together() -> None:
    objects = manifests()
    assert len({(one["kind"], one["metadata"]["name"]) for one in objects}) == len(objects)
    assert all(KINDS[one["kind"]] == one["apiVersion"] for one in objects)
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in objects if "template" in one["spec"]]
    for one in objects:
        selector = one["spec"]["selector"]
        assert selector.get("matchLabels", selector) in labels
        if "template" in one["spec"]:
            assert one["spec"]["template"]["metadata"]["labels"] == selector["matchLabels"]
    ports = {port["name"]: port["containerPort"] for container in containers() for port in container.get("ports", ())}
    for one in objects:
        for port in one["spec"].get("ports", ()):
            target = port.get("targetPort", port["port"])
            assert target in ports or target in ports.values()


def test_kubernetes_pods_name_only_what_there_is() -> None:
    for pod in pods():
        assert set(pod) <= POD
        volumes = {volume["name"] for volume in pod.get("volumes", ())}
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            assert set(container) <= CONTAINER
            assert {mount["name"] for mount in container.get("volumeMounts", ())} <= volumes
            for key in (name for name in container if name.endswith("Probe")):
                assert set(container[key]) <= PROBE
                assert len({"exec", "httpGet"} & set(container[key])) == 1


def test_the_image_has_only_instructions_that_there_are() -> None:
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    assert {line.split()[0] for line in lines} <= {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME"}
    assert lines[0].startswith("FROM ")
