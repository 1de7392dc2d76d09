"""Every setting with where it came from, and a sentence for each that is wrong."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.shared.config import BadSetting, Machine, Settings, read_settings
from roost.shared.settings_table import HIDDEN, complaints, settings_table

MACHINE = Machine(cores=8, user=1000, temporary_directory="/tmp", runtime_directory=None)
VARIABLES = [place.metadata["setting"].variable for place in fields(Settings)]
SECRET = "s3cret" * 11


def test_every_setting_is_there_with_what_it_means() -> None:
    rows = settings_table(MACHINE, [])
    assert [row.variable for row in rows] == VARIABLES
    assert all(row.meaning and row.source == "default" for row in rows)


@given(st.dictionaries(st.sampled_from(["option", "environment"]), st.integers(1, 64)))
def test_the_first_source_wins_and_is_named(given_shards: dict[str, int]) -> None:
    sources = [
        (name, {"ROOST_SHARDS": str(given_shards[name])}) for name in ("option", "environment") if name in given_shards
    ]
    (row,) = (row for row in settings_table(MACHINE, sources) if row.name == "shards")
    assert row.value == str(read_settings(MACHINE, *(source for _, source in sources)).shards)
    assert row.source == (sources[0][0] if sources else "default")


def test_secrets_are_never_shown() -> None:
    given_secrets = {"ROOST_SECRET_KEY_BASE": SECRET, "ROOST_OLD_SECRET_KEY_BASES": f"{SECRET} {SECRET}"}
    rows = {row.variable: row.value for row in settings_table(MACHINE, [("environment", given_secrets)])}
    assert {rows[variable] for variable in given_secrets} == {HIDDEN}
    assert all(SECRET not in value for value in rows.values())


def test_a_bad_value_is_refused_as_a_node_refuses_it() -> None:
    with pytest.raises(BadSetting, match="ROOST_PORT must be"):
        settings_table(MACHINE, [("environment", {"ROOST_PORT": "http"})])


def test_complaints_are_one_for_each_that_is_wrong() -> None:
    values = {"ROOST_PORT": "http", "ROOST_WORKERZ": "2", "ROOST_SHARDS": "2", "PATH": "/bin", "ROOST_": ""}
    wrong = complaints(values)
    assert len(wrong) == 3
    assert wrong[0].startswith("ROOST_PORT must be ")
    assert wrong[1] == "ROOST_WORKERZ is no setting; did you mean ROOST_WORKERS?"


@given(st.dictionaries(st.sampled_from([*VARIABLES, "ROOST_X", "OTHER"]), st.text(max_size=5)))
def test_who_has_no_complaints_starts(values: dict[str, str]) -> None:
    known = {variable: text for variable, text in values.items() if variable in VARIABLES}
    wrong = [variable for variable in values if variable == "ROOST_X"]
    for variable, text in known.items():
        try:
            read_settings(MACHINE, {variable: text})
        except BadSetting:
            wrong.append(variable)
    assert sorted(sentence.split(" ")[0] for sentence in complaints(values)) == sorted(wrong)
