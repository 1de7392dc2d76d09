"""JSON as tests make it up and compare it."""

import json
from typing import Any

from hypothesis import strategies as st

letters = st.characters(exclude_categories=["Cs"])
"""All characters but lone surrogates, which are no text."""
text = st.text(letters)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=10)
maps = st.dictionaries(text, values, max_size=4)


def typed(value: Any) -> str:
    """A text that is the same only for the same JSON: 1, 1.0 and true, which Python takes for equal, are not."""
    return json.dumps(value, sort_keys=True)
