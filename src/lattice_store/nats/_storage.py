"""`NatsStorage`: one method per method of the contract, each one request to the server. It decides nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from nats.aio.client import Client

from lattice_store.arguments import (
    LAST_SUBJECT_FILTER,
    PURGE_BELOW_1,
    SEVERAL_SUBJECTS,
    Feature,
    check_at_least_one,
    check_config,
    check_feature,
    check_get,
    check_payload,
    check_purge,
    check_replay,
)
from lattice_store.errors import (
    ApiError,
    InvalidArgumentError,
    LatticeStoreError,
    NoRespondersError,
    StorageClosedError,
    UnexpectedAnswerError,
)
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.limits import DEFAULT_ACK_WINDOW, DEFAULT_LIMITS, SECOND_NS, Limits
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
from lattice_store.nats._api import JetStreamApi
from lattice_store.nats._connection import Connection, Ticket
from lattice_store.nats._consumers import INACTIVE_THRESHOLD_NS, probe
from lattice_store.nats._replay import NatsReplay
from lattice_store.nats._translate import ack_from_wire, inactive_threshold, message_from_wire
from lattice_store.storage import ClosingStorage
from lattice_store.subjects import check_filter, check_stream_name, check_subject
from lattice_store.wire import config_to_wire, info_from_wire

_LEAST_HEARTBEAT_NS: Final = SECOND_NS // 10  # nats-server refuses less (10083)


class NatsStorage(ClosingStorage):
    """Implements `lattice_store.storage.Storage` on a NATS server with JetStream.

    This constructor borrows a client: it stays open when the storage is closed. A client that buffers while it
    is disconnected (nats-py's default) makes a failed publish UNKNOWN, for it may still be sent later. Header
    blocks pass through nats-py's parser. `lattice_store.nats.connect` makes a storage without these two limits.

    Args:
        client: a connected nats-py client.
        domain: the JetStream domain to talk to.
        limits: deadlines and buffers.
    """

    def __init__(self, client: Client, *, domain: str | None = None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._set_up(Connection(limits, client=client), domain, limits)

    @classmethod
    def _owning(cls, connection: Connection, *, domain: str | None, limits: Limits) -> Self:
        """Return a storage that owns *connection*."""
        storage = cls.__new__(cls)
        storage._set_up(connection, domain, limits)
        return storage

    def _set_up(self, connection: Connection, domain: str | None, limits: Limits) -> None:
        if limits.heartbeat_ns < _LEAST_HEARTBEAT_NS:
            raise InvalidArgumentError(f"heartbeat_ns={limits.heartbeat_ns}: a server accepts 100 ms at least")
        self._connection = connection
        self._limits = limits
        self._api = JetStreamApi(connection, domain)
        self._replays: set[NatsReplay] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"NatsStorage({self._connection!r})"

    def _check_open(self) -> None:
        if self._closed:
            raise StorageClosedError("the storage is closed")

    async def _call(self, verb: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._check_open()
        return await self._api.call(verb, body)

    # -- streams --------------------------------------------------------------------------------

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        return info_from_wire(await self._call(f"STREAM.CREATE.{config.name}", config_to_wire(config)))

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        check_config(config)
        return info_from_wire(await self._call(f"STREAM.UPDATE.{config.name}", config_to_wire(config)))

    async def delete_stream(self, stream: str) -> None:
        check_stream_name(stream)
        await self._call(f"STREAM.DELETE.{stream}")

    async def stream_info(self, stream: str) -> StreamInfo:
        check_stream_name(stream)
        return info_from_wire(await self._call(f"STREAM.INFO.{stream}"))

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        body: dict[str, Any] = {}
        if subject is not None:
            check_filter(subject)
            body["subject"] = subject
        names: list[str] = []
        while True:
            page = await self._call("STREAM.NAMES", {**body, "offset": len(names)})
            found = page.get("streams") or []
            names += found
            if not found or len(names) >= page["total"]:
                return tuple(sorted(names))

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
        block = self._checked(subject, payload, headers, message_id, expect)
        return await self._ack(await self._send(subject, payload, block, expect))

    def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        check_at_least_one("window", window)
        return self._publish_many(publications, window)

    async def _publish_many(
        self, publications: Iterable[Publication], window: int
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]:
        self._check_open()
        sent: deque[Ticket | LatticeStoreError] = deque()
        try:
            for each in publications:
                if len(sent) >= window:
                    yield await self._settle(sent.popleft())
                sent.append(await self._try_to_send(each))
            while sent:
                yield await self._settle(sent.popleft())
        finally:
            for ticket in sent:
                if isinstance(ticket, Ticket):
                    self._connection.forget(ticket)

    async def _try_to_send(self, each: Publication) -> Ticket | LatticeStoreError:
        try:
            block = self._checked(each.subject, each.payload, each.headers, each.message_id, each.expect)
            now = None if each.expect is not None else self._connection.send_now(each.subject, each.payload, block)
            return now or await self._send(each.subject, each.payload, block, each.expect)
        except StorageClosedError:
            raise
        except LatticeStoreError as error:
            return error

    async def _settle(self, sent: Ticket | LatticeStoreError) -> PubAck | LatticeStoreError:
        if isinstance(sent, LatticeStoreError):
            return sent
        try:
            return await self._ack(sent)
        except LatticeStoreError as error:
            return error

    def _checked(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str],
        message_id: str | None,
        expect: Expect | None,
    ) -> Headers:
        """Check the arguments of a publish; return its header block."""
        check_subject(subject)
        check_payload(payload)
        block = publish_headers(headers, message_id, expect)
        self._check_open()
        return block

    async def _send(self, subject: str, payload: bytes, block: Headers, expect: Expect | None) -> Ticket:
        if expect is not None and expect.last_subject_filter is not None:
            await self._require(LAST_SUBJECT_FILTER)
        return await self._connection.send(subject, payload, block)

    async def _ack(self, ticket: Ticket) -> PubAck:
        answer = ticket.result() if ticket.settled else await self._connection.wait(ticket)
        if answer is None:
            raise NoRespondersError(f"no stream is bound to {ticket.subject}")
        try:
            ack = ack_from_wire(answer)
        except ValueError as error:
            raise UnexpectedAnswerError(f"{ticket.subject} was answered by something else than JetStream") from error
        if isinstance(ack, ApiError):
            raise ack
        return ack

    async def _require(self, feature: Feature) -> None:
        self._check_open()
        await self._connection.client()
        check_feature(feature, self._connection.server_version)

    # -- messages -------------------------------------------------------------------------------

    async def get_message(self, stream: str, sequence: int) -> Message:
        check_get(stream, sequence)
        return await self._get(stream, {"seq": sequence})

    async def get_last_message(self, stream: str, subject: str) -> Message:
        check_stream_name(stream)
        check_filter(subject)
        return await self._get(stream, {"last_by_subj": subject})

    async def _get(self, stream: str, which: Mapping[str, Any]) -> Message:
        return message_from_wire((await self._call(f"STREAM.MSG.GET.{stream}", which))["message"])

    async def count_subjects(self, stream: str, *, subjects: Sequence[str] = ()) -> int:
        check_replay(stream, subjects)
        if len(subjects) > 1:
            await self._require(SEVERAL_SUBJECTS)
        config = (await self.stream_info(stream)).config
        threshold_ns = inactive_threshold(config, INACTIVE_THRESHOLD_NS)
        probed = await probe(self._api, stream, DELIVER_LAST_PER_SUBJECT, subjects, inactive_threshold_ns=threshold_ns)
        return int(probed["num_pending"])

    async def delete_message(self, stream: str, sequence: int) -> None:
        check_get(stream, sequence)
        await self._call(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        check_purge(stream, subject, before_sequence, keep)
        options = {"filter": subject, "seq": before_sequence, "keep": keep}
        body = {name: value for name, value in options.items() if value is not None}
        if before_sequence == 1:
            await self._require(PURGE_BELOW_1)
        return int((await self._call(f"STREAM.PURGE.{stream}", body))["purged"])

    # -- replays and the end --------------------------------------------------------------------

    @asynccontextmanager
    async def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AsyncIterator[NatsReplay]:
        check_replay(stream, subjects)
        self._check_open()
        if len(subjects) > 1:
            await self._require(SEVERAL_SUBJECTS)
        replay = NatsReplay(
            self._connection, self._api, self._limits, stream=stream, subjects=tuple(subjects), deliver=deliver
        )
        self._replays.add(replay)
        try:
            async with replay:
                yield replay
        finally:
            self._replays.discard(replay)

    async def aclose(self) -> None:
        self._closed = True
        try:
            await asyncio.gather(*(replay.aclose() for replay in self._replays))
        finally:
            await self._connection.aclose()
