"""The table and the picture of servers next to Roost."""

from xml.etree import ElementTree as ET

from tests.load import bars
from tests.load.ratios import Cell, Comparison, Measure, markdown, neighbours

SPEED = Measure("fanout", "fan-out", "/s")
MEMORY = Measure("memory", "memory a client", "kB", more_is_better=False)


def comparison() -> Comparison:
    found = Comparison([SPEED, MEMORY], left_out={"Slow": "it did not start"}, conditions=["2 cores."])
    fast, other = found.row("Fast", "1.2"), found.row("Other", "3")
    fast.cells = {"fanout": Cell(4_000_000.0, 3_000_000.0), "memory": Cell(6.0, 3.0)}
    other.cells = {"fanout": Cell(None, 3_200_000.0, "fanout: the generator was the limit"), "memory": Cell(-1.0, 3.2)}
    other.remarks = ["fanout: 3 deliveries were lost"]
    return found


def test_a_server_is_compared_with_the_runs_before_and_after_it() -> None:
    runs = [100.0, 200.0, None, 400.0]
    assert [neighbours(runs, at) for at in (1, 2, 3)] == [150.0, 200.0, 400.0]
    assert neighbours([None, None], 1) is None


def test_a_ratio_needs_two_figures_that_mean_something() -> None:
    assert Cell(4.0, 3.0).ratio == 0.75
    assert Cell(None, 3.0).ratio is None
    assert Cell(4.0, None).ratio is None
    assert Cell(-1.0, 3.0).ratio is None


def test_the_table_has_all_that_is_to_be_known() -> None:
    head, rule, ours, *rows = markdown(comparison()).split("\n\n")[0].splitlines()
    assert head == "| server | fan-out, /s | memory a client, kB |"
    assert rule == "| --- | --- | --- |"
    assert ours == "| **Roost** | **3.10 M** | **3.10** |"
    assert rows == [
        "| Fast 1.2 | 4.00 M (0.75) | 6.00 (0.50) |",
        "| Other 3 | not quoted | -1.00 |",
    ]
    remarks = markdown(comparison())
    assert "Less is better: memory a client." in remarks
    assert "- Other: fanout: 3 deliveries were lost\n- Other: fanout: the generator was the limit" in remarks
    assert "- Slow was left out: it did not start" in remarks


def test_figures_come_back_from_json_as_they_were() -> None:
    assert Comparison.from_data(comparison().as_data()) == comparison()


def test_what_was_measured_earlier_is_kept_but_for_what_is_measured_again() -> None:
    now = Comparison([SPEED])
    now.row("Fast", "1.2").cells = {"fanout": Cell(5_000_000.0, 3_000_000.0)}
    now.row("Slow", "9").cells = {"fanout": Cell(10.0, 3_000_000.0)}
    now.add(comparison())
    assert [row.name for row in now.rows] == ["Fast", "Slow", "Other"]
    fast = now.row("Fast", "")
    assert fast.cells["fanout"].value == 5_000_000.0
    assert fast.cells["memory"].value == 6.0
    assert now.left_out == {}
    assert now.row("Other", "").remarks == []
    now.arrange(["Other", "Slow", "Fast"], ["fanout", "memory"])
    assert [row.name for row in now.rows] == ["Other", "Slow", "Fast"]
    assert [measure.key for measure in now.measures] == ["fanout", "memory"]


def test_the_picture_is_well_formed_and_names_everybody() -> None:
    picture = ET.fromstring(bars.svg(comparison()))
    texts = [text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("Roost") == texts.count("Fast") == texts.count("Other") == 2
    assert "4.00 M (Roost 0.75)" in texts
    widths = [float(bar.attrib["width"]) for bar in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert min(widths) >= 0
