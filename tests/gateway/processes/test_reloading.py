"""Which files count as source, and what a change is."""

from pathlib import Path

from roost.gateway.processes.reloading import changes, snapshot


def test_source_files_count_and_others_do_not(tmp_path: Path) -> None:
    for name in (
        "app.py",
        "pages/chat.html",
        "data.bin",
        ".hidden/app.py",
        "node_modules/a/index.js",
        "__pycache__/app.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert sorted(snapshot(tmp_path)) == [str(tmp_path / "app.py"), str(tmp_path / "pages/chat.html")]


def test_a_change_is_another_time_a_new_file_or_one_that_is_gone() -> None:
    assert changes({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1}) == ["b", "c", "d"]
    assert changes({"a": 1}, {"a": 1}) == []
