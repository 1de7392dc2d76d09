"""The gateway's part in a trace: it asks its workers, and names those that do not answer."""

from typing import Any

from roost.shared.control import StartWorker
from roost.shared.supervisor import Child, Supervisor
from roost.shared.trace import ANSWER_LIMIT, FollowedTrace, FollowTrace


async def follow_trace(workers: Supervisor, question: FollowTrace) -> FollowedTrace:
    """What the workers have noted since, as they tell it."""
    answers: list[tuple[Child, Any]] = await workers.ask_each(question, dict, ANSWER_LIMIT)
    silent = (_name(child) for child, answer in answers if answer is None)
    return FollowedTrace(tuple(answer for _, answer in answers if answer is not None), tuple(silent))


def _name(child: Child) -> str:
    """By the number by which a trace's rows call it: the place of the name is taken again by another."""
    assert isinstance(child.start, StartWorker)
    return f"worker {child.start.number}"
