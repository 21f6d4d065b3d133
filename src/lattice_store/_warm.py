"""Starting warm: a local snapshot, and of the stream only what came after it.

A snapshot is used if nothing that it holds can be stale: the stream is the same, still keeps one message per subject, has not
gone back, and has as many subjects as the snapshot has with all that came since. That number is compared at a moment at which
nothing was written. What cannot be shown is not believed: the rebuild is a cold one then.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Final

from lattice_store._formats import StreamFormat
from lattice_store._snapshot import Identity, Snapshot, encode
from lattice_store._view import GrowingView
from lattice_store.errors import MessageNotFoundError, SnapshotError
from lattice_store.model import DeliverFromSequence, Message, StreamInfo
from lattice_store.storage import Storage

_QUIET_MOMENTS: Final = 8
"""How often the count is tried: with a write in between it says nothing."""
_WITNESSES: Final = 8
"""How many of the snapshot's newest messages are looked for: one that was replaced since is no witness."""


async def load(path: Path) -> Snapshot:
    """Read a snapshot.

    Raises:
        SnapshotError: there is none, or none that can be read.
    """
    try:
        return Snapshot(await asyncio.to_thread(path.read_bytes))
    except OSError as error:
        raise SnapshotError(f"no snapshot can be read from {path}: {error.strerror or error}") from error


async def save(path: Path, identity: Identity, messages: Iterable[Message]) -> None:
    """Write a snapshot, whole or not at all: beside *path* first, then in its place.

    Raises:
        SnapshotError: it cannot be written there.
    """
    try:
        await asyncio.to_thread(_write, path, encode(identity, messages))
    except OSError as error:
        raise SnapshotError(f"no snapshot can be written to {path}: {error.strerror or error}") from error


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


async def continued(snapshot: Snapshot, empty: GrowingView, storage: Storage, format_: StreamFormat) -> GrowingView:
    """Return the view that the snapshot and all that came since make.

    Args:
        empty: the kind of view to make.

    Raises:
        SnapshotError: it cannot be shown that the snapshot is still true; the text says what is against it.
        ReplayInterruptedError: the stream was replaced meanwhile.
    """
    _check(snapshot, format_, await storage.stream_info(format_.stream))
    await _check_witness(snapshot, storage, format_)
    view = empty.another(snapshot)
    start = DeliverFromSequence(snapshot.identity.sequence + 1)
    async with storage.replay(format_.stream, subjects=(format_.subjects,), deliver=start) as replay:
        _check(snapshot, format_, replay.stream)
        if replay.caught_up:
            view.advance(replay.stream.state.last_sequence)
        async with aclosing(replay.batches()) as batches:
            while not replay.caught_up:
                view.absorb(await anext(batches))
            for _ in range(_QUIET_MOMENTS):
                counted = await _count_at_a_quiet_moment(snapshot, storage, format_)
                if counted is None:
                    continue
                count, last_sequence = counted
                while view.revision < last_sequence:
                    view.absorb(await anext(batches))
                if view.revision == last_sequence:
                    if view.subject_count != count:
                        raise SnapshotError(
                            f"{count} subjects hold a message now, {view.subject_count} would be expected"
                        )
                    return view
    raise SnapshotError("writes followed each other too closely to compare the number of subjects")


def _check(snapshot: Snapshot, format_: StreamFormat, info: StreamInfo) -> None:
    identity = snapshot.identity
    if (identity.prefix, identity.stream) != (format_.prefix, format_.stream):
        raise SnapshotError(f"the snapshot is of lattice {identity.prefix}")
    if identity.created_ns != info.created_ns:
        raise SnapshotError("the stream was created anew since")
    if info.config.max_msgs_per_subject != 1:
        raise SnapshotError("the stream does not keep one message per subject")
    if info.state.last_sequence < identity.sequence:
        raise SnapshotError("the stream went back")


async def _check_witness(snapshot: Snapshot, storage: Storage, format_: StreamFormat) -> None:
    """Find one of the newest messages where it was: a server that lost its end gives the same sequences out again."""
    for message in snapshot.newest(_WITNESSES):
        try:
            found = await storage.get_message(format_.stream, message.sequence)
        except MessageNotFoundError:
            continue
        if found != message:
            raise SnapshotError("the stream went back, and on from there")
        return
    raise SnapshotError("none of its newest messages is where it was")


async def _count_at_a_quiet_moment(
    snapshot: Snapshot, storage: Storage, format_: StreamFormat
) -> tuple[int, int] | None:
    """Return how many subjects hold a message, and the stream's last sequence then; ``None`` if that moved meanwhile."""
    before = await storage.stream_info(format_.stream)
    count = await storage.count_subjects(format_.stream, subjects=(format_.subjects,))
    after = await storage.stream_info(format_.stream)
    _check(snapshot, format_, after)
    last_sequence = after.state.last_sequence
    return (count, last_sequence) if before.state.last_sequence == last_sequence else None
