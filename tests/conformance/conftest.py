"""The official client, for the conformance tests too."""

from tests.e2e.conftest import phoenix

__all__ = ["phoenix"]
