"""`roost scale` while the broker, busy with the change, is slow to answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from roost.commands import node, scale
from roost.commands.node import BrokerSilent
from roost.shared.control import AskResharding, Message
from roost.shared.resharding import ReshardingPhase, ReshardingStatus
from tests.roost.pretended_cluster import PretendedCluster


class SlowBroker(PretendedCluster):
    """Leaves so many looks at the change without an answer."""

    def __init__(self, run_dir: Path, answer: Callable[[str, Message], Any], silences: int) -> None:
        super().__init__(run_dir, None, answer, set())
        self._silences = silences
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        super().__enter__()
        self._running.callback(self._end.set)
        return self

    async def _asked(self, message: Message) -> Any:
        if isinstance(message, AskResharding) and self._silences:
            self._silences -= 1
            await self._end.wait()
        return await super()._asked(message)


def change(phase: ReshardingPhase) -> ReshardingStatus:
    return ReshardingStatus(1, 1, 2, phase)


def answer(_: str, question: Message) -> ReshardingStatus:
    return change(ReshardingPhase.DONE if isinstance(question, AskResharding) else ReshardingPhase.PREPARING)


def test_a_look_without_an_answer_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(node, "ANSWER_LIMIT", 1.5)
    with SlowBroker(tmp_path, answer, silences=1) as broker:
        scale.change_shards(str(tmp_path), 2, json=False)
    assert [type(question).__name__ for _, question in broker.asked][:2] == ["ScaleShards", "AskResharding"]
    assert "1 -> 2 shards" in capsys.readouterr().out


def test_a_broker_that_never_answers_again_ends_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "ANSWER_LIMIT", 1.5)
    monkeypatch.setattr(scale, "MAX_SILENT_LOOKS", 2)
    with SlowBroker(tmp_path, answer, silences=2), pytest.raises(BrokerSilent, match=r"did not answer within 1\.5 s"):
        scale.change_shards(str(tmp_path), 2, json=False)
