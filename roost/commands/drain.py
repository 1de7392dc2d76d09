"""`roost drain`: tells the node, and shows how its clients go until all are gone."""

import time

from rich.console import Console

from roost.commands.node import Where, ask_node
from roost.commands.progress import Progress
from roost.commands.scale import LOOK_PERIOD
from roost.commands.terminal import print_json
from roost.shared.control import AskDrain, DrainGateway
from roost.shared.drain import DrainPhase, DrainStatus
from roost.shared.failures import CannotStart


def drain(where: Where, *, json: bool) -> None:
    """Drain the gateway and wait until all clients are gone. Raises CannotStart if it is called off meanwhile."""
    status = ask_node(where, DrainGateway(on=True), DrainStatus)
    with Progress(Console(stderr=json)) as progress:
        while status.phase is DrainPhase.DRAINING:
            progress.show(f"draining, {status.seconds:.1f} s, {status.left:,} of {status.clients:,} clients left")
            time.sleep(LOOK_PERIOD)
            status = ask_node(where, AskDrain(), DrainStatus)
    if status.phase is DrainPhase.OPEN:
        raise CannotStart("the drain was called off: clients are let in again")
    said = (
        f"{status.clients:,} clients sent away in {status.seconds:.2f} s; "
        "new ones are answered 503 until `roost drain --off` or the gateway's end"
    )
    print_json(status) if json else _say(said)


def admit(where: Where, *, json: bool) -> None:
    """Let clients in again. Raises CannotStart."""
    status = ask_node(where, DrainGateway(on=False), DrainStatus)
    print_json(status) if json else _say("clients are let in")


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
