"""A command on the own node, on another one, or on all of the cluster, with those named that do not answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Generic, NamedTuple, TypeVar

from roost.commands.node import Elsewhere, Where, ask_node
from roost.commands.terminal import console, duration, print_json, visible
from roost.shared.cluster import AskCluster, ClusterStatus
from roost.shared.config import BadSetting
from roost.shared.failures import CannotStart
from roost.shared.setting_texts import EVERY_NODE

AT_A_TIME: Final = 16
"""Nodes that are asked at a time."""

T = TypeVar("T")


class Answers(NamedTuple, Generic[T]):
    """What the nodes of a cluster answered."""

    nodes: dict[str, T]
    """By name."""
    silent: dict[str, str]
    """By the names of those that did not answer, or refused, the sentence that says why."""


def place(run_dir: str, node: str | None) -> Where:
    """The node that is meant by a name, without one the own."""
    return run_dir if node is None else Elsewhere(run_dir, node)


def one_node(run_dir: str, node: str | None) -> Where:
    """The same, for what is done to one node at a time. Raises BadSetting."""
    if node == EVERY_NODE:
        raise BadSetting("this is done to one node at a time: name one by --node")
    return place(run_dir, node)


def show(
    run_dir: str,
    node: str | None,
    look: Callable[[Where], T],
    printer: Callable[[T], None],
    *,
    json: bool,
    as_json: Callable[[T], Any] = lambda answer: answer,
) -> list[T]:
    """Look at a node or at all, print what was seen and return it.

    Raises CannotStart if the one node does not answer; of all, SystemExit(1) behind the answers if any is missing.
    """
    if node != EVERY_NODE:
        answer = look(place(run_dir, node))
        print_json(as_json(answer)) if json else printer(answer)
        return [answer]
    answers = look_everywhere(run_dir, look)
    if json:
        print_json({"nodes": {name: as_json(one) for name, one in answers.nodes.items()}, "silent": answers.silent})
    else:
        _print(answers, printer)
    if answers.silent:
        raise SystemExit(1)
    return list(answers.nodes.values())


def look_everywhere(run_dir: str, look: Callable[[Where], T]) -> Answers[T]:
    """Look at all nodes at a time. Raises CannotStart if there is no node here, or if it is alone."""
    cluster = ask_node(run_dir, AskCluster(), ClusterStatus)
    places: dict[str, Where] = {row.node: Elsewhere(run_dir, row.node) for row in cluster.nodes if row.up}
    places[cluster.node] = run_dir
    answers: Answers[T] = Answers({}, {})
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        looks = {name: pool.submit(look, where) for name, where in sorted(places.items())}
        for name, one in looks.items():
            try:
                answers.nodes[name] = one.result()
            except CannotStart as error:
                answers.silent[name] = str(error)
    for row in cluster.nodes:
        if not row.up:
            answers.silent[row.node] = f"node {row.node} is down, last heard {duration(row.heard)} ago"
    return answers


def _print(answers: Answers[T], printer: Callable[[T], None]) -> None:
    out = console()
    for name in sorted({*answers.nodes, *answers.silent}):
        out.print(f"node {visible(name)}", style="bold")
        if name in answers.nodes:
            printer(answers.nodes[name])
        else:
            out.print(visible(answers.silent[name]), style="red")
        out.print()
