"""A node that is cut off from the others without a word, and is found again."""

from urllib.parse import urlsplit

from roost.shared.cluster import EngineState
from tests.e2e.cluster import await_row, await_status, cluster_node, cluster_status, meet, start
from tests.e2e.partition import Partition
from tests.e2e.phoenix_js import PhoenixJs
from tests.engines import NatsServer

ROOMS = "tests.applications.clustered_rooms:endpoint"


async def test_both_sides_go_on_and_find_each_other_again(phoenix: PhoenixJs) -> None:
    with NatsServer() as engine, Partition(urlsplit(engine.url).port or 0) as way:
        here = cluster_node("here", engine.url, app=ROOMS)
        there = cluster_node("there", f"nats://127.0.0.1:{way.port}", app=ROOMS)
        try:
            for node in (here, there):
                start(node)
            for node in (here, there):
                node.wait_until_serving()
            meet(here, there)
            one = await (await phoenix.connect(here.url)).join("room:cut")
            other = await (await phoenix.connect(there.url)).join("room:cut")
            one.send("new_msg", {"n": 0})
            await other.hears("new_msg", {"n": 0})

            way.cut()
            await_status(there, lambda status: status.state is not EngineState.CONNECTED)
            await_row(here, "there", lambda row: not row.up)
            one.send("new_msg", {"n": 1})
            other.send("new_msg", {"n": 2})
            await one.hears("new_msg", {"n": 1})
            await other.hears("new_msg", {"n": 2})

            way.heal()
            meet(here, there)
            one.send("new_msg", {"n": 3})
            await other.hears("new_msg", {"n": 3})
            await one.hears("new_msg", {"n": 2})  # what waited for the engine
            heard = [payload["n"] for payload in other.payloads("new_msg")]
            assert heard == sorted(set(heard))
            lost = {0, 1, 3} - set(heard)
            status = cluster_status(there)
            assert status is not None
            (row,) = status.nodes
            assert (row.lost, row.unknown_gaps) == (len(lost), 0)
        finally:
            there.stop()
            here.stop()
