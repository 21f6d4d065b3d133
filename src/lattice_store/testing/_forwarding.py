"""What wrappers share: a storage and a replay that hand on what they are asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Concatenate, ParamSpec, TypeVar

from lattice_store.errors import LatticeStoreError
from lattice_store.headers import NO_HEADERS
from lattice_store.limits import DEFAULT_ACK_WINDOW
from lattice_store.model import (
    DELIVER_ALL,
    DeliverPolicy,
    Expect,
    Message,
    PubAck,
    Publication,
    StreamConfig,
    StreamInfo,
)
from lattice_store.storage import ClosingStorage, DerivedReplay, Replay, Storage

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ForwardingStorage(ClosingStorage, ABC):
    """The base of storages that stand before others: every call that has one answer goes through ``_forward``.

    A subclass defines that, and what is more than one call: ``publish_many``, ``replay``, ``aclose``.
    """

    @abstractmethod
    async def _forward(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Answer a call of *method*, by asking the storage behind or without it."""

    async def _call(
        self, method: Callable[Concatenate[Storage, _P], Awaitable[_T]], *arguments: _P.args, **options: _P.kwargs
    ) -> _T:
        answer: _T = await self._forward(method.__name__, *arguments, **options)
        return answer

    async def create_stream(self, config: StreamConfig) -> StreamInfo:
        return await self._call(Storage.create_stream, config)

    async def update_stream(self, config: StreamConfig) -> StreamInfo:
        return await self._call(Storage.update_stream, config)

    async def delete_stream(self, stream: str) -> None:
        await self._call(Storage.delete_stream, stream)

    async def stream_info(self, stream: str) -> StreamInfo:
        return await self._call(Storage.stream_info, stream)

    async def list_streams(self, *, subject: str | None = None) -> tuple[str, ...]:
        return await self._call(Storage.list_streams, subject=subject)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        message_id: str | None = None,
        expect: Expect | None = None,
    ) -> PubAck:
        return await self._call(
            Storage.publish, subject, payload, headers=headers, message_id=message_id, expect=expect
        )

    @abstractmethod
    def publish_many(
        self, publications: Iterable[Publication], *, window: int = DEFAULT_ACK_WINDOW
    ) -> AsyncGenerator[PubAck | LatticeStoreError, None]: ...

    async def get_message(self, stream: str, sequence: int) -> Message:
        return await self._call(Storage.get_message, stream, sequence)

    async def get_last_message(self, stream: str, subject: str) -> Message:
        return await self._call(Storage.get_last_message, stream, subject)

    async def count_subjects(self, stream: str, *, subjects: Sequence[str] = ()) -> int:
        return await self._call(Storage.count_subjects, stream, subjects=subjects)

    async def delete_message(self, stream: str, sequence: int) -> None:
        await self._call(Storage.delete_message, stream, sequence)

    async def purge(
        self,
        stream: str,
        *,
        subject: str | None = None,
        before_sequence: int | None = None,
        keep: int | None = None,
    ) -> int:
        return await self._call(Storage.purge, stream, subject=subject, before_sequence=before_sequence, keep=keep)

    @abstractmethod
    def replay(
        self, stream: str, *, subjects: Sequence[str] = (), deliver: DeliverPolicy = DELIVER_ALL
    ) -> AbstractAsyncContextManager[Replay]: ...

    @abstractmethod
    async def aclose(self) -> None: ...


class ForwardingReplay(DerivedReplay):
    """A replay that stands where *inner* stands; subclasses define ``batches``."""

    def __init__(self, inner: Replay) -> None:
        self._inner = inner

    @property
    def stream(self) -> StreamInfo:
        return self._inner.stream

    @property
    def pending(self) -> int:
        return self._inner.pending

    @property
    def caught_up(self) -> bool:
        return self._inner.caught_up
