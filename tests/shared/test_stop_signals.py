"""What a supervisor does about SIGTERM and SIGINT, seen from outside: by its exit status."""

import signal

import pytest

from tests.limits import LIMIT
from tests.shared.processes import running, says


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_the_first_is_heard_and_further_ones_do_not_kill_what_is_ending(first: signal.Signals) -> None:
    with running("tests.shared.stopping") as process:
        assert says(process) == "hears"
        process.send_signal(first)
        assert says(process) == "ends"
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)
        assert process.returncode == 0
