"""How long tests wait for what must happen."""

from typing import Final

LIMIT: Final = 60.0
"""Seconds after which something that was to happen is taken not to: it hangs, however busy the machine is."""
