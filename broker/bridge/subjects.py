"""Where nodes send what: names of lower-case letters, digits and dots that every engine takes. Pure.

What people choose, the names of clusters and nodes, is hashed into them; topics never stand in them.
"""

import hashlib
from typing import Final

_HASH_CHARACTERS: Final = 20


class Subjects:
    """The subjects of one cluster."""

    def __init__(self, cluster: str) -> None:
        self._prefix = f"roost.{_hashed(cluster)}"
        self.everybody = f"{self._prefix}.all"

    def bucket(self, bucket: int) -> str:
        """Where what is published in topics of a bucket goes."""
        return f"{self._prefix}.b.{bucket}"

    def node(self, node: str) -> str:
        """Where what one node is told goes."""
        return f"{self._prefix}.n.{_hashed(node)}"


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
