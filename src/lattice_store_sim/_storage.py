"""The shell around the core: reads the clock, checks arguments, hands messages to replays. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar, cast, overload

from lattice_store.arguments import (
    check_at_least_one,
    check_config,
    check_get,
    check_payload,
    check_purge,
    check_replay,
)
from lattice_store.clock import Clock, SystemClock
from lattice_store.errors import (
    InvalidArgumentError,
    LatticeStoreError,
    ResetReason,
    StorageClosedError,
    StorageTimeoutError,
    api_error,
)
from lattice_store.headers import NO_HEADERS
from lattice_store.limits import DEFAULT_ACK_WINDOW, DEFAULT_LIMITS, Limits
from lattice_store.model import (
    DELIVER_ALL,
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
from lattice_store_sim._core._profile import NEWEST, ServerProfile, profile_of
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._replay import SimReplay
from lattice_store_sim._translate import config_to_core, info_from_core

_MAX_PAYLOAD: Final = 1 << 20
"""nats-server's default ``max_payload``: headers and payload of one message."""
_CALLS_BETWEEN_PAUSES: Final = 128
"""No call has to wait, yet a loop of calls must let other tasks run, and be cancellable, as with a real server."""


ClockT = TypeVar("ClockT", bound=Clock)


Profile = ServerProfile | str
"""Which nats-server to be: a profile, or a version such as ``2.12``."""


def _profile(given: Profile) -> ServerProfile:
    return given if isinstance(given, ServerProfile) else profile_of(given)


class SimServer(Generic[ClockT]):
    """A simulated server, in this process and without a socket. Several `SimStorage` may share it.

    Args:
        clock: what time it is; a `VirtualClock` makes ages and windows come due when a test says so.
        profile: which version of nats-server to be, such as ``2.12``; the newest by default.
        max_replicas: how many replicas a stream may ask for. A lone server, the default, refuses more than 1.
    """

    @overload
    def __init__(self: SimServer[SystemClock], *, profile: Profile = NEWEST, max_replicas: int = 1) -> None: ...
    @overload
    def __init__(self, *, clock: ClockT, profile: Profile = NEWEST, max_replicas: int = 1) -> None: ...
    def __init__(self, *, clock: Clock | None = None, profile: Profile = NEWEST, max_replicas: int = 1) -> None:
        self.clock = cast("ClockT", SystemClock() if clock is None else clock)
        self._core = SimCore(_profile(profile), max_replicas=max_replicas)
        self._replays: dict[str, list[SimReplay]] = {}

    def __repr__(self) -> str:
        return f"SimServer({', '.join(self._core.list_streams())})"

    def restart(self) -> None:
        """Stop and start: memory streams are gone, file streams stay, their message IDs are those still stored.

        Replays of a stream that is gone are interrupted; those of a file stream go on.
        """
        self._core.restart(now_ns=self.clock.now_ns())
        for name in self._replays:
            if name not in self._core.streams:
                self._interrupt(name, ResetReason.STREAM_DELETED)

    def _interrupt(self, stream: str, reason: ResetReason) -> None:
        for replay in self._replays.get(stream, ()):
            replay.interrupt(reason)

    def _hand_out(self, stream: str | None) -> None:
        for replay in self._replays.get(stream or "", ()):
            if replay.interrupted is None:
                replay.fill()

    def _announce(self, created: StreamInfo) -> None:
        """Replays of an earlier stream of this name ended with it; tell their readers what came after."""
        for replay in self._replays.get(created.config.name, ()):
            if replay.interrupted is not None:
                replay.interrupt(ResetReason.STREAM_RECREATED)


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
        self._clock: Clock = self.server.clock
        self._core = self.server._core
        self._replays: list[SimReplay] = []
        self._closed = False
        self._calls = 0

    def __repr__(self) -> str:
        return f"SimStorage({self.server!r})"

    async def _turn(self) -> int:
        """Begin a call: return the time it happens at.

        Raises:
            StorageClosedError: after `aclose`.
        """
        self._calls += 1
        if self._calls % _CALLS_BETWEEN_PAUSES == 0:
            await asyncio.sleep(0)
        if self._closed:
            raise StorageClosedError("the storage is closed")
        return self._clock.now_ns()

    # -- streams --------------------------------------------------------------------------------

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        now_ns = await self._turn()
        info = info_from_core(self._core.create_stream(self._to_core(config), now_ns=now_ns))
        self.server._announce(info)
        return info

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        now_ns = await self._turn()
        return info_from_core(self._core.update_stream(self._to_core(config), now_ns=now_ns))

    def _to_core(self, config: StreamConfig) -> core.StreamConfig:
        return config_to_core(config, self._core.context.profile)

    async def delete_stream(self, stream: str) -> None:
        check_stream_name(stream)
        self._core.delete_stream(stream, now_ns=await self._turn())
        self.server._interrupt(stream, ResetReason.STREAM_DELETED)

    async def stream_info(self, stream: str) -> StreamInfo:
        check_stream_name(stream)
        return info_from_core(self._core.stream_info(stream, now_ns=await self._turn()))

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        if subject is not None:
            check_filter(subject)
        await self._turn()
        return self._core.list_streams(subject)

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
        server = self._core
        if server.bound_stream(subject) is None:
            check_subject(subject)
        check_payload(payload)
        block = publish_headers(headers, message_id, expect)
        if len(payload) + len(block.block) > _MAX_PAYLOAD:
            raise api_error(400, 10054, "message size exceeds maximum allowed")
        ack = server.publish(subject, payload, block, now_ns=await self._turn())
        if self.server._replays:
            self.server._hand_out(server.bound_stream(subject))
        if ack is None:
            raise StorageTimeoutError(f"the stream bound to {subject!r} never answers a publish: no_ack is set")
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
        return self._core.get_message(stream, sequence, now_ns=await self._turn())

    async def get_last_message(self, stream: str, subject: str) -> Message:
        check_stream_name(stream)
        check_filter(subject)
        return self._core.get_last_message(stream, subject, now_ns=await self._turn())

    async def delete_message(self, stream: str, sequence: int) -> None:
        check_get(stream, sequence)
        self._core.delete_message(stream, sequence, now_ns=await self._turn())

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        check_purge(stream, subject, before_sequence, keep)
        now_ns = await self._turn()
        return self._core.purge(stream, filter_=subject, before_sequence=before_sequence, keep=keep, now_ns=now_ns)

    # -- replays and the end --------------------------------------------------------------------

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncIterator[SimReplay]:
        check_replay(stream, subjects)
        now_ns = await self._turn()
        info = info_from_core(self._core.stream_info(stream, now_ns=now_ns))
        cursor = self._core.open_cursor(stream, subjects, deliver, now_ns=now_ns)
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
        self._core.close_cursor(stream, replay.cursor)

    async def aclose(self) -> None:
        self._closed = True
        for replay in self._replays:
            replay.close()
