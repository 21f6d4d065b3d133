"""The page of surprises: what a simulator gets wrong that was written without asking a server, and who guards it.

python -m tests.docs.surprises   # rewrites the page
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.docs.pins import link, pinned

PAGE: Final = Path(__file__).parents[2] / "docs/reference/surprises.md"

SURPRISES: Final = (
    (
        "A publish meets its checks in a fixed order. A duplicate does not excuse a wrong expected sequence or a message too "
        "large; it does excuse a wrong last message ID, a forbidden rollup and a full stream."
    ),
    (
        "The duplicate window is a table of its own: an ID stays known after its message was deleted, purged, rolled up or "
        "evicted. A refused publish records none, and a duplicate refreshes nothing."
    ),
    "The duplicate window belongs to the stream, not to the subject.",
    "A restart rebuilds the window from the messages still stored: IDs of removed ones are forgotten.",
    (
        "The expected last message ID is that of the very last message, none if it had none. An empty control header counts as "
        "absent."
    ),
    "An expected sequence that is no number is not a malformed request but a number no stream reaches.",
    "Names of control headers count to the letter, and the first of several counts.",
    "The filter for an expected last sequence may be a wildcard or lie outside the stream; alone it is refused.",
    "The size limit counts the raw header block and the payload.",
    "A stored message takes different bytes in memory and on file, and headers cost four more on file.",
    "A message larger than the whole stream may be is acknowledged, and then evicted with everything else.",
    "Discard policy new lets an exact fit pass, and a publish that replaces the oldest of its subject.",
    "A rollup passes the limit of its subject, not those of the stream, and removes only after it was stored.",
    "Lowered limits evict at once: the totals under discard policy old only, the limit per subject always.",
    "The last sequence never goes back, and a purge beyond the end moves it forward.",
    "A stream never used has first sequence 0, one purged in full 1; an emptied one begins after its last.",
    "A purge below sequence 1 removes nothing; keeping counts over the whole filter, not per subject.",
    "The last message of everything is looked for at the last sequence only.",
    "Removed messages at the end count as deleted, those at the beginning do not.",
    "Deleting a message that is not there fails differently in memory and on file.",
    "A file stream re-created at once under its old name can revive old messages: names are used once in comparisons.",
    "A file stream never used lists sequence 0 as deleted, and a purge by sequence can leave its first sequence stale.",
    "Direct gets are never switched on by the server; without them nobody responds.",
    "Unknown fields of a request are refused, but for pull requests and direct gets.",
    "Creating a stream again with an equal configuration is answered like a creation.",
    "Expiry by age is late by up to a third of a second; until then the message is read and counted.",
    "A TTL is cut to whole seconds, less than one is invalid, and a delete marker's TTL is the least.",
    "A direct get of last messages up to a sequence beyond the end is served in memory and finds nothing on file.",
    "A pull beyond the most unacknowledged messages waits, even if it asked not to.",
    (
        "Redeliveries pass the limit of unacknowledged messages and go first; a snapshot of last messages is still delivered "
        "when they were superseded."
    ),
)

_HEAD: Final = """# Thirty surprises

What a simulator of JetStream gets wrong when it is written from the documentation. Each was observed on real servers, and a
test with its name holds the simulator to it. Written by `python -m tests.docs.surprises`.
"""


def page() -> str:
    """Return the page."""
    tests = pinned()
    rows = [
        f"| {number} | {surprise} | {'<br>'.join(map(link, tests[f'surprise {number}']))} |"
        for number, surprise in enumerate(SURPRISES, 1)
    ]
    return "\n".join([_HEAD, "| | what a server does | test |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
