"""The run directory on a real file system, and its locks across real processes."""

import asyncio
import fcntl
import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from roost.shared.run_directory import (
    MAX_SOCKET_PATH_BYTES,
    LockTaken,
    RunDirectory,
    RunDirectoryError,
    bridge_name,
    shard_name,
    worker_name,
)
from roost.shared.shard_map import EMPTY, ShardMap, Slot
from tests.limits import LIMIT
from tests.shared.processes import running, says, short_directory


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory whose path is short enough for every machine: pytest's own name each test in it."""
    with short_directory() as path:
        yield path


@pytest.fixture
def run_dir() -> Iterator[RunDirectory]:
    with short_directory() as path:
        yield RunDirectory.open(str(path / "run"))


@contextmanager
def holder(run_dir: RunDirectory, kind: str, name: str) -> Iterator["Popen[bytes]"]:
    """A process that has said that it holds a lock."""
    with running("tests.shared.lock_holder", str(run_dir.path), kind, name) as process:
        assert says(process) == "waiting"
        assert says(process)
        yield process


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path | str) -> str:
    with pytest.raises(RunDirectoryError) as refused:
        RunDirectory.open(str(path))
    sentence = str(refused.value)
    assert sentence.startswith("ROOST_RUN_DIR ")
    assert "\n" not in sentence
    return sentence


class TestOpening:
    """Made for its owner alone, and refused where others can reach in."""

    def test_it_is_made_for_its_owner_alone(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            RunDirectory.open(str(tmp_path / "above" / "run"))
        finally:
            os.umask(before)
        for path in (tmp_path / "above" / "run", *(tmp_path / "above" / "run").iterdir()):
            assert mode(path) == 0o700

    def test_it_can_be_opened_again_with_what_is_in_it(self, run_dir: RunDirectory) -> None:
        run_dir.write_map(EMPTY)
        assert RunDirectory.open(str(run_dir.path)).read_map() == EMPTY

    @pytest.mark.parametrize("bits", [0o770, 0o707, 0o701, 0o710])
    def test_one_that_others_can_reach_into_is_refused(self, tmp_path: Path, bits: int) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run").chmod(bits)
        assert "chmod 700" in refusal(tmp_path / "run")

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir(0o700)
        (tmp_path / "link").symlink_to(tmp_path / "real")
        refusal(tmp_path / "link")
        assert list((tmp_path / "real").iterdir()) == []

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_another_users_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir(0o700)
        os.chown(tmp_path / "run", 12345, -1)
        assert "another user" in refusal(tmp_path / "run")

    @pytest.mark.parametrize("inside", ["", "run"])
    def test_a_file_in_its_place_is_refused(self, tmp_path: Path, inside: str) -> None:
        (tmp_path / "file").write_text("")
        assert "cannot be used" in refusal(tmp_path / "file" / inside)

    def test_a_path_too_long_for_sockets_is_refused_and_the_longest_is_not(self) -> None:
        with short_directory() as above:
            slot = Slot(2**32 - 1, 63)
            room = MAX_SOCKET_PATH_BYTES - len(f"{above}//bus/{slot.epoch}-{slot.number}-{2**32 - 1}.sock")
            longest = RunDirectory.open(str(above / ("x" * room)))
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(longest.bus_socket(slot, 2**32 - 1))
            sentence = refusal(above / ("x" * (room + 1)))
            assert str(MAX_SOCKET_PATH_BYTES) in sentence
            assert not (above / ("x" * (room + 1))).exists()

    def test_bytes_count_not_letters(self, tmp_path: Path) -> None:
        refusal(tmp_path / ("é" * 40))

    def test_a_relative_path_stays_where_it_was_opened(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert RunDirectory.open("run").path == tmp_path / "run"


class TestRoles:
    """`take`: one process at a time, and the others are told which."""

    def test_a_second_one_is_told_the_first_ones_pid(self, run_dir: RunDirectory) -> None:
        with holder(run_dir, "take", "broker") as process:
            with pytest.raises(LockTaken) as taken:
                run_dir.take("broker")
            assert taken.value.pid == str(process.pid)
            run_dir.take("gateway").release()

    @pytest.mark.parametrize("how", ["kill", "end"])
    def test_it_is_free_when_its_holder_is_gone(self, run_dir: RunDirectory, how: str) -> None:
        with holder(run_dir, "take", "broker") as process:
            if how == "kill":
                process.kill()
            else:
                process.communicate()
            process.wait(LIMIT)
            run_dir.take("broker").release()

    def test_it_can_be_let_go_and_taken_again(self, run_dir: RunDirectory) -> None:
        run_dir.take("broker").release()
        lock = run_dir.take("broker")
        with pytest.raises(LockTaken) as taken:
            run_dir.take("broker")
        assert taken.value.pid == str(os.getpid())
        lock.release()

    def test_a_link_in_the_locks_place_is_not_followed(self, run_dir: RunDirectory, tmp_path: Path) -> None:
        (run_dir.path / "broker.lock").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(OSError, match=r"broker\.lock"):
            run_dir.take("broker")
        assert not (tmp_path / "elsewhere").exists()


class TestLives:
    """`alive`: the kernel's word, never wrong."""

    def test_a_process_is_alive_until_it_is_killed(self, run_dir: RunDirectory) -> None:
        assert not run_dir.alive("worker-1")
        with holder(run_dir, "live", "worker-1") as process:
            alive = run_dir.alive("worker-1"), run_dir.alive("worker-2")
            process.kill()
            process.wait(LIMIT)
            assert (alive, run_dir.alive("worker-1")) == ((True, False), False)

    def test_one_that_is_stopped_is_alive(self, run_dir: RunDirectory) -> None:
        with holder(run_dir, "live", "worker-1") as process:
            process.send_signal(signal.SIGSTOP)
            assert run_dir.alive("worker-1")

    def test_its_own_process_can_ask(self, run_dir: RunDirectory) -> None:
        life = run_dir.live("worker-1")
        assert run_dir.alive("worker-1")
        life.release()
        assert not run_dir.alive("worker-1")

    def test_its_children_do_not_keep_it_alive(self, run_dir: RunDirectory) -> None:
        with running("tests.shared.lock_holder", str(run_dir.path), "parent", "worker-1") as process:
            assert says(process) == "waiting"
            child = int(says(process))
            try:
                alive = run_dir.alive("worker-1")
                process.kill()
                process.wait(LIMIT)
                os.kill(child, 0)  # the child lives on
                assert (alive, run_dir.alive("worker-1")) == (True, False)
            finally:
                os.kill(child, signal.SIGKILL)

    def test_two_who_ask_do_not_take_each_other_for_the_holder(self, run_dir: RunDirectory) -> None:
        run_dir.live("worker-1").release()
        with (run_dir.path / "alive" / "worker-1").open("rb") as other_asker:
            fcntl.flock(other_asker, fcntl.LOCK_SH)
            assert not run_dir.alive("worker-1")

    def test_one_who_asks_only_delays_one_who_starts(self, run_dir: RunDirectory) -> None:
        run_dir.live("worker-1").release()
        with (run_dir.path / "alive" / "worker-1").open("rb") as asker:
            fcntl.flock(asker, fcntl.LOCK_SH)
            with running("tests.shared.lock_holder", str(run_dir.path), "live", "worker-1") as process:
                assert says(process) == "waiting"
                fcntl.flock(asker, fcntl.LOCK_UN)
                assert says(process) == "holding"
                assert run_dir.alive("worker-1")

    def test_the_workers_that_live_are_found(self, run_dir: RunDirectory) -> None:
        run_dir.live(worker_name(3)).release()
        lives = [run_dir.live(worker_name(1)), run_dir.live(shard_name(Slot(0, 0), 1))]
        with holder(run_dir, "live", worker_name(2)):
            assert run_dir.live_workers() == {1, 2}
        for life in lives:
            life.release()
        assert run_dir.live_workers() == set()

    def test_a_bridge_is_a_worker_that_does_not_serve(self, run_dir: RunDirectory) -> None:
        names = worker_name(1), worker_name(2), bridge_name(2)
        lives = [run_dir.live(name) for name in names]
        assert run_dir.live_workers() == {1, 2}
        assert run_dir.serving_workers() == {1}
        for life in lives:
            life.release()

    def test_the_incarnations_of_a_slot_that_live_are_found(self, run_dir: RunDirectory) -> None:
        run_dir.live(shard_name(Slot(1, 1), 2)).release()
        lives = [run_dir.live(shard_name(slot, 4)) for slot in (Slot(1, 1), Slot(1, 11), Slot(11, 1))]
        with holder(run_dir, "live", shard_name(Slot(1, 1), 3)):
            assert run_dir.live_incarnations(Slot(1, 1)) == {3, 4}
        for life in lives:
            life.release()
        assert run_dir.live_incarnations(Slot(1, 1)) == set()

    def test_no_two_names_are_the_same(self) -> None:
        names = {shard_name(Slot(epoch, number), 1) for epoch in range(12) for number in range(12)}
        assert len(names) == 144
        assert not names & {worker_name(number) for number in range(12)}


class TestEnding:
    """`end`: dead for certain when it returns."""

    @pytest.mark.parametrize("stopped", [False, True])
    async def test_who_lives_is_killed(self, run_dir: RunDirectory, stopped: bool) -> None:
        name = shard_name(Slot(0, 0), 1)
        with holder(run_dir, "live", name) as process:
            if stopped:
                process.send_signal(signal.SIGSTOP)
            await asyncio.wait_for(run_dir.end(name), LIMIT)
            assert not run_dir.alive(name)
            assert process.wait(LIMIT) == -signal.SIGKILL

    async def test_who_is_dead_or_never_was_is_left_alone(self, run_dir: RunDirectory) -> None:
        """The number in a dead one's file may be another process's by now: here it is this one's."""
        run_dir.live("worker-1").release()
        assert (run_dir.path / "alive" / "worker-1").read_text().strip() == str(os.getpid())
        await asyncio.wait_for(run_dir.end("worker-1"), LIMIT)
        await asyncio.wait_for(run_dir.end("worker-2"), LIMIT)


class TestCleaning:
    """Files go when their processes are dead, and not before."""

    def test_only_the_dead_are_forgotten(self, run_dir: RunDirectory) -> None:
        run_dir.live("worker-1").release()
        with holder(run_dir, "live", "worker-2"):
            run_dir.forget_the_dead()
            assert [file.name for file in (run_dir.path / "alive").iterdir()] == ["worker-2"]
            assert run_dir.alive("worker-2")

    def test_sockets_are_removed_and_nothing_else(self, run_dir: RunDirectory) -> None:
        run_dir.write_map(EMPTY)
        secret = run_dir.secret_key_base()
        for path in (run_dir.control_socket, run_dir.bus_socket(Slot(0, 0), 1)):
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path)
        run_dir.remove_sockets()
        assert sorted(file.name for file in run_dir.path.iterdir()) == [
            "alive",
            "bus",
            "secret_key_base",
            "shards.json",
        ]
        assert list((run_dir.path / "bus").iterdir()) == []
        assert run_dir.secret_key_base() == secret
        run_dir.remove_sockets()

    def test_a_socket_of_the_bus_is_never_anothers(self, run_dir: RunDirectory) -> None:
        names = {run_dir.bus_socket(Slot(a, b), c) for a in (1, 11) for b in (1, 11) for c in (1, 11)}
        assert len(names) == 8
        assert all(Path(name).parent == run_dir.path / "bus" for name in names)


class TestSmallFiles:
    """The map, the worker numbers, the secret."""

    def test_the_map(self, run_dir: RunDirectory) -> None:
        assert run_dir.read_map() == EMPTY
        written = ShardMap(1, 1, 0, {0: (1, 2)})
        run_dir.write_map(written)
        assert run_dir.read_map() == written
        changed = [run_dir.map_changed(), run_dir.map_changed()]
        run_dir.write_map(written)
        assert [*changed, run_dir.map_changed()] == [True, False, True]

    def test_whoever_reads_the_map_reads_a_whole_one(self, run_dir: RunDirectory) -> None:
        maps = [ShardMap(number, 1, 0, {0: tuple(range(number))}) for number in range(1, 200)]
        run_dir.write_map(maps[0])

        def write_all() -> None:
            for one in maps:
                run_dir.write_map(one)

        writer = threading.Thread(target=write_all)
        writer.start()
        versions = [run_dir.read_map().version]
        while writer.is_alive():
            versions.append(run_dir.read_map().version)
        writer.join()
        assert versions == sorted(versions)
        assert run_dir.read_map() == maps[-1]

    def test_worker_numbers_are_never_given_twice(self, run_dir: RunDirectory) -> None:
        numbers = [RunDirectory.open(str(run_dir.path)).take_worker_number() for _ in range(20)]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > 0

    def test_the_secret_is_made_once_and_is_its_owners(self, run_dir: RunDirectory) -> None:
        secret = run_dir.secret_key_base()
        assert len(secret) >= 64
        assert mode(run_dir.path / "secret_key_base") == 0o600
        assert RunDirectory.open(str(run_dir.path)).secret_key_base() == secret

    def test_the_admin_token_is_another_secret(self, run_dir: RunDirectory) -> None:
        token = run_dir.admin_token()
        assert len(token) >= 43
        assert mode(run_dir.path / "admin_token") == 0o600
        assert token not in (run_dir.canary_token(), run_dir.secret_key_base())
        assert RunDirectory.open(str(run_dir.path)).admin_token() == token

    def test_two_nodes_have_two_secrets(self, run_dir: RunDirectory, tmp_path: Path) -> None:
        assert RunDirectory.open(str(tmp_path)).secret_key_base() != run_dir.secret_key_base()
