"""What a message of a batch is answered with, and how many batches a server has room for."""

from __future__ import annotations

from typing import Final

from lattice_store.limits import SECOND_NS
from lattice_store.model import PubAck

BATCH_TIMEOUT_NS: Final = 10 * SECOND_NS
"""How long a batch waits for its next message (stream.go, ``streamDefaultMaxBatchTimeout``)."""
LONGEST_BATCH_ID: Final = 64


class StagedAck(PubAck, frozen=True, gc=False):
    """A message waits for its batch's end: the answer is empty."""


class BatchAck(PubAck, frozen=True, gc=False):
    """A batch is stored; the sequence is that of its last message."""

    batch: str = ""
    count: int = 0
    """How many messages it has."""
