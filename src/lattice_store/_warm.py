"""Starting warm: a local snapshot, and of the stream only what came after it.

A snapshot is used if nothing that it holds can be stale: the stream is the same, still keeps one message per subject, has not
gone back, and has as many subjects as the snapshot has with all that came since. That number is compared at a moment at which
nothing was written. What cannot be shown is not believed: the rebuild is a cold one then.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Final, NamedTuple

from lattice_store._formats import StreamFormat
from lattice_store._snapshot import Identity, Snapshot, encode
from lattice_store._view import GrowingView
from lattice_store.errors import MessageNotFoundError, SnapshotError
from lattice_store.model import DeliverFromSequence, Message, StreamInfo
from lattice_store.storage import Storage

_QUIET_MOMENTS: Final = 8
"""How often the count is tried: with a write in between it says nothing."""


class _Count(NamedTuple):
    """How many subjects held a message, when the stream stood so."""

    subjects: int
    stream: StreamInfo


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


async def continued(path: Path, empty: GrowingView, storage: Storage, format_: StreamFormat) -> GrowingView:
    """Return the view that the snapshot in *path* and all that came since make.

    Args:
        path: what `save` wrote.
        empty: the kind of view to make.

    Raises:
        SnapshotError: there is no snapshot, or it cannot be shown that it is still true; the text says why.
        ReplayInterruptedError: the stream was replaced meanwhile.
    """
    counting = asyncio.ensure_future(_count_at_a_quiet_moment(storage, format_))  # which takes the server as long
    try:
        snapshot = await _load(path)
        _check(snapshot, format_, await storage.stream_info(format_.stream))
        await _check_witness(snapshot, storage, format_)
        return await _followed(snapshot, empty.another(snapshot), counting, storage, format_)
    finally:
        counting.cancel()
        await asyncio.wait({counting})


async def _load(path: Path) -> Snapshot:
    try:
        return await asyncio.to_thread(lambda: Snapshot(path.read_bytes()))
    except OSError as error:
        raise SnapshotError(f"no snapshot can be read from {path}: {error.strerror or error}") from error


async def _followed(
    snapshot: Snapshot, view: GrowingView, counting: Awaitable[_Count | None], storage: Storage, format_: StreamFormat
) -> GrowingView:
    """Take in what came since, until the number of subjects can be compared; it must be what is expected."""
    start = DeliverFromSequence(snapshot.identity.sequence + 1)
    async with storage.replay(format_.stream, subjects=(format_.subjects,), deliver=start) as replay:
        _check(snapshot, format_, replay.stream)
        if replay.caught_up:
            view.advance(replay.stream.state.last_sequence)
        async with aclosing(replay.batches()) as batches:
            while not replay.caught_up:
                view.absorb(await anext(batches))
            counted = await counting
            for _ in range(_QUIET_MOMENTS):
                if counted is not None:
                    _check(snapshot, format_, counted.stream)
                    while view.revision < counted.stream.state.last_sequence:
                        view.absorb(await anext(batches))
                    if view.revision == counted.stream.state.last_sequence:
                        _compare(counted.subjects, view.subject_count)
                        return view
                counted = await _count_at_a_quiet_moment(storage, format_)
    raise SnapshotError("writes followed each other too closely to compare the number of subjects")


def _compare(count: int, expected: int) -> None:
    if count != expected:
        raise SnapshotError(f"{count} subjects hold a message now, {expected} would be expected")


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
    for message in snapshot.newest():  # one that was replaced since is no witness
        try:
            found = await storage.get_message(format_.stream, message.sequence)
        except MessageNotFoundError:
            continue
        if found != message:
            raise SnapshotError("the stream went back, and on from there")
        return
    raise SnapshotError("none of its newest messages is where it was")


async def _count_at_a_quiet_moment(storage: Storage, format_: StreamFormat) -> _Count | None:
    """Return how many subjects hold a message; ``None`` if something was written meanwhile."""
    before = await storage.stream_info(format_.stream)
    subjects = await storage.count_subjects(format_.stream, subjects=(format_.subjects,))
    stream = await storage.stream_info(format_.stream)
    quiet = before.state.last_sequence == stream.state.last_sequence
    return _Count(subjects, stream) if quiet else None
