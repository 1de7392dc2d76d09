"""The wheel, installed beside an application that has folders of our names."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ("shared", "broker", "gateway")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the working tree, so that nothing of an earlier build gets into it."""
    source = tmp_path_factory.mktemp("source") / "roost"
    shutil.copytree(
        ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(".*", "node_modules", "build", "*.egg-info")
    )
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(source),
        str(source),
    ]
    subprocess.run(build, check=True)
    (built,) = source.glob("roost-*.whl")
    return built


def test_an_application_with_a_shared_folder_of_its_own_runs_unchanged(wheel: Path, tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"MINE = 'the {name} of the application'\n")
    (tmp_path / "app.py").write_text(
        "import shared, broker, gateway\n"
        "from roost import Channel, Endpoint, Ok, Socket, event\n"
        "from roost.shared.phash2 import phash2\n"
        "import roost.cli, roost.broker.broker_process\n"
        "import roost.gateway.processes.gateway_process, roost.gateway.processes.worker_process\n"
        "print(shared.MINE, broker.MINE, gateway.MINE, phash2(1, 4))\n"
        "from roost.gateway.admin.dashboard.page import FILES\n"
        "print(len(list(FILES.iterdir())))\n"
        "print(roost.__file__)\n"
    )
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    site = next((environment / "lib").glob("python*/site-packages"))
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True)
    # Our dependencies come from the environment of the tests; roost itself must not.
    (site / "dependencies.pth").write_text(str(dependencies()) + "\n")
    ran = subprocess.run(
        [str(environment / "bin" / "python"), "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    first, files, where = ran.stdout.splitlines()
    assert first == "the shared of the application the broker of the application the gateway of the application 2"
    assert int(files) == len(list((ROOT / "gateway" / "admin" / "dashboard" / "page").iterdir())), (
        "the dashboard's page"
    )
    assert where.startswith(str(site))


def test_the_wheel_holds_what_is_no_code_too(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        entry_points = packed.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {
        "roost/py.typed",
        "roost/commands/constants.json",
        "roost/new/templates/channel.py.txt",
        "roost/shared/bus.py",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "shared/", "broker/", "gateway/"))]
    assert "roost = roost.cli:main" in entry_points
    assert "roost = roost.testing.plugin" in entry_points


def test_the_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    make = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", make, str(tmp_path)], cwd=wheel.parent, check=True, capture_output=True, text=True
    )
    source = tmp_path / made.stdout.splitlines()[-1]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*command, str(source)], check=True)
    (again,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert set(one.namelist()) == set(other.namelist())


def dependencies() -> Path:
    """Where the tests' own dependencies are installed."""
    import zmq

    return Path(zmq.__file__).parents[1]
