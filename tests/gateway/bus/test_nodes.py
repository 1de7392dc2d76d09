"""Names of nodes: which are there, and what is said of those that are not."""

import pytest

from roost.gateway.bus.nodes import Nodes, UnknownNode, named_node


def test_a_node_is_its_own_by_its_name_and_by_none() -> None:
    nodes = Nodes("a")
    assert nodes.is_own("a")
    assert nodes.is_own("")
    assert nodes.others() == []


def test_others_come_and_go() -> None:
    nodes = Nodes("a")
    nodes.are(["c", "b"])
    nodes.up("d", "id-of-d")
    nodes.down("c", "id-of-c")
    nodes.down("nobody", "")
    assert nodes.others() == ["b", "d"]
    assert not nodes.is_own("b")
    nodes.are(())
    assert nodes.others() == []


def test_a_node_that_took_the_name_of_another_stays_when_that_one_is_told_to_have_gone() -> None:
    nodes = Nodes("a")
    nodes.up("b", "first")
    nodes.up("b", "second")
    nodes.down("b", "first")
    nodes.are(["b"])
    assert nodes.others() == ["b"]
    nodes.down("b", "second")
    assert nodes.others() == []


def test_the_refusal_of_an_unknown_node_names_those_that_are_there() -> None:
    nodes = Nodes("a")
    nodes.up("b", "id-of-b")
    with pytest.raises(UnknownNode, match="no node 'c' now; there are: a, b"):
        nodes.is_own("c")


def test_an_application_names_a_node_by_text() -> None:
    assert named_node("a") == "a"
    with pytest.raises(UnknownNode):
        named_node("")
    with pytest.raises(TypeError, match="is a str"):
        named_node(1)  # type: ignore[arg-type]
