"""The shell around the core: reads the clock, checks arguments, hands messages to replays. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from lattice_store.arguments import (
    LAST_SUBJECT_FILTER,
    PURGE_BELOW_1,
    SEVERAL_SUBJECTS,
    check_at_least_one,
    check_config,
    check_feature,
    check_get,
    check_payload,
    check_purge,
    check_replay,
)
from lattice_store.errors import (
    InvalidArgumentError,
    LatticeStoreError,
    StorageClosedError,
    StorageTimeoutError,
    api_error,
)
from lattice_store.headers import NO_HEADERS
from lattice_store.limits import DEFAULT_ACK_WINDOW, DEFAULT_LIMITS, Limits
from lattice_store.model import (
    DELIVER_ALL,
    DELIVER_LAST_PER_SUBJECT,
    DeliverPolicy,
    Expect,
    Message,
    PubAck,
    Publication,
    StreamConfig,
    StreamInfo,
    publish_headers,
)
from lattice_store.storage import ClosingStorage
from lattice_store.subjects import check_filter, check_stream_name, check_subject
from lattice_store_sim._core import _stream_config as core
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._replay import SimReplay
from lattice_store_sim._server import Profile, SimServer
from lattice_store_sim._translate import config_to_core, info_from_core

_MAX_PAYLOAD: Final = 1 << 20
"""nats-server's default ``max_payload``: headers and payload of one message."""
_CALLS_BETWEEN_PAUSES: Final = 128
"""No call has to wait, yet a loop of calls must let other tasks run, and be cancellable, as with a real server."""


def _to_core(config: StreamConfig, server: SimCore) -> core.StreamConfig:
    return config_to_core(config, server.context.profile)


class SimStorage(ClosingStorage):
    """Implements `lattice_store.storage.Storage` on a simulated server.

    Args:
        server: the server to use, left as it is when the storage is closed; its own new one by default.
        profile: which version of nats-server its own server is, such as ``2.12``; the newest by default.
        limits: of these, ``replay_buffer``; nothing here waits for a connection or an answer.
    """

    def __init__(
        self,
        server: SimServer[Any] | None = None,
        *,
        profile: Profile | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        if server is not None and profile is not None:
            raise InvalidArgumentError(
                "SimStorage(server, profile=…): the server has its profile already; give one of them"
            )
        self.server: SimServer[Any] = (
            SimServer(profile=NEWEST if profile is None else profile) if server is None else server
        )
        self._limits = limits
        self._replays: list[SimReplay] = []
        self._closed = False
        self._calls = 0

    def __repr__(self) -> str:
        return f"SimStorage({self.server!r})"

    async def _turn(self) -> tuple[SimCore, int]:
        """Begin a call: return the server to ask, which a restored snapshot replaces, and the time it is there.

        Raises:
            StorageClosedError: after `aclose`.
        """
        if self._is_time_to_pause():
            await asyncio.sleep(0)
        return self._now()

    def _is_time_to_pause(self) -> bool:
        self._calls += 1
        return self._calls % _CALLS_BETWEEN_PAUSES == 0

    def _now(self) -> tuple[SimCore, int]:
        if self._closed:
            raise StorageClosedError("the storage is closed")
        return self.server._core, self.server.clock.now_ns()

    # -- streams --------------------------------------------------------------------------------

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        server, now_ns = await self._turn()
        info = info_from_core(server.create_stream(_to_core(config, server), now_ns=now_ns))
        self.server._tell_replays(config.name)
        return info

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        server, now_ns = await self._turn()
        return info_from_core(server.update_stream(_to_core(config, server), now_ns=now_ns))

    async def delete_stream(self, stream: str) -> None:
        check_stream_name(stream)
        server, now_ns = await self._turn()
        server.delete_stream(stream, now_ns=now_ns)
        self.server._tell_replays(stream)

    async def stream_info(self, stream: str) -> StreamInfo:
        check_stream_name(stream)
        server, now_ns = await self._turn()
        return info_from_core(server.stream_info(stream, now_ns=now_ns))

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        if subject is not None:
            check_filter(subject)
        server, _ = await self._turn()
        return server.list_streams(subject)

    # -- publish --------------------------------------------------------------------------------

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        message_id: str | None = None,
        expect: Expect | None = None,
    ) -> PubAck:
        if self.server._core.bound_stream(subject) is None:
            check_subject(subject)
        check_payload(payload)
        block = publish_headers(headers, message_id, expect)
        if len(payload) + len(block.block) > _MAX_PAYLOAD:
            raise api_error(400, 10054, "message size exceeds maximum allowed")
        self._calls += 1
        if (
            self._calls % _CALLS_BETWEEN_PAUSES == 0
        ):  # not by `_turn`: a coroutine more would be a twentieth of the whole
            await asyncio.sleep(0)
        server, now_ns = self._now()
        if expect is not None and expect.last_subject_filter is not None:
            check_feature(LAST_SUBJECT_FILTER, server.context.profile.release)
        if self.server._shell is not None:
            self.server._shell._show(subject, payload, block.block)
        ack = server.publish(subject, payload, block, now_ns=now_ns)
        if self.server._replays:
            self.server._tell_replays(server.bound_stream(subject))
        if ack is None:
            raise StorageTimeoutError(f"the stream bound to {subject!r} does not answer this publish")
        return ack

    def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        check_at_least_one("window", window)
        return self._publish_many(publications)

    async def _publish_many(
        self, publications: Iterable[Publication]
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        for each in publications:
            try:
                result: PubAck | LatticeStoreError = await self.publish(
                    each.subject,
                    each.payload,
                    headers=each.headers,
                    message_id=each.message_id,
                    expect=each.expect,
                )
            except StorageClosedError:
                raise
            except LatticeStoreError as error:
                result = error
            yield result

    # -- messages -------------------------------------------------------------------------------

    async def get_message(self, stream: str, sequence: int) -> Message:
        check_get(stream, sequence)
        server, now_ns = await self._turn()
        return server.get_message(stream, sequence, now_ns=now_ns)

    async def get_last_message(self, stream: str, subject: str) -> Message:
        check_stream_name(stream)
        check_filter(subject)
        server, now_ns = await self._turn()
        return server.get_last_message(stream, subject, now_ns=now_ns)

    async def count_subjects(self, stream: str, *, subjects: Sequence[str] = ()) -> int:
        check_replay(stream, subjects)
        server, now_ns = await self._turn()
        if len(subjects) > 1:
            check_feature(SEVERAL_SUBJECTS, server.context.profile.release)
        cursor = server.open_cursor(stream, subjects, DELIVER_LAST_PER_SUBJECT, now_ns=now_ns)
        server.close_cursor(stream, cursor)
        return cursor.pending

    async def delete_message(self, stream: str, sequence: int) -> None:
        check_get(stream, sequence)
        server, now_ns = await self._turn()
        server.delete_message(stream, sequence, now_ns=now_ns)

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        check_purge(stream, subject, before_sequence, keep)
        server, now_ns = await self._turn()
        if before_sequence == 1:
            check_feature(PURGE_BELOW_1, server.context.profile.release)
        return server.purge(stream, filter_=subject, before_sequence=before_sequence, keep=keep, now_ns=now_ns)

    # -- replays and the end --------------------------------------------------------------------

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncIterator[SimReplay]:
        check_replay(stream, subjects)
        server, now_ns = await self._turn()
        if len(subjects) > 1:
            check_feature(SEVERAL_SUBJECTS, server.context.profile.release)
        info = info_from_core(server.stream_info(stream, now_ns=now_ns))
        cursor = server.open_cursor(stream, subjects, deliver, now_ns=now_ns)
        replay = SimReplay(info, cursor, self._limits.replay_buffer)
        self.server._replays.setdefault(stream, []).append(replay)
        self._replays.append(replay)
        try:
            yield replay
        finally:
            self._end(stream, replay)

    def _end(self, stream: str, replay: SimReplay) -> None:
        replay.close()
        self._replays.remove(replay)
        remaining = self.server._replays[stream]
        remaining.remove(replay)
        if not remaining:
            del self.server._replays[stream]
        self.server._core.close_cursor(stream, replay.cursor)

    async def aclose(self) -> None:
        self._closed = True
        for replay in self._replays:
            replay.close()
