"""The nodes of the cluster, as a worker knows them: its own, and the others that are there now. Pure."""

from collections.abc import Iterable


class UnknownNode(LookupError):
    """There is no node of that name; the text names those that are there."""


def named_node(node: str) -> str:
    """A node's name as an application gives it. Raises UnknownNode, TypeError."""
    if not isinstance(node, str):
        raise TypeError(f"a node's name is a str, not {node!r}")
    if not node:
        raise UnknownNode("a node has a name, and this one is empty")
    return node


class Nodes:
    """The names of the nodes."""

    def __init__(self, own: str) -> None:
        self.own = own
        self._others: dict[str, str] = {}
        """By name: the id of the node, empty where it is not known."""

    def others(self) -> list[str]:
        """Those that are there, without this one."""
        return sorted(self._others)

    def are(self, others: Iterable[str]) -> None:
        """These are there."""
        self._others = {node: self._others.get(node, "") for node in others}

    def up(self, node: str, node_id: str) -> None:
        """A node is there."""
        self._others[node] = node_id

    def down(self, node: str, node_id: str) -> None:
        """A node has gone; another of its name may have come before."""
        if self._others.get(node) in ("", node_id):
            del self._others[node]

    def is_own(self, node: str) -> bool:
        """Whether that is this node; the empty name always is. Raises UnknownNode if it is no node that is there."""
        if node in ("", self.own):
            return True
        if node not in self._others:
            there = ", ".join([self.own, *self.others()])
            raise UnknownNode(f"there is no node {node!r} now; there are: {there}")
        return False
