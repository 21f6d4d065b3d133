"""Ways to break a storage: each returns a maker of a `SimStorage` with one thing wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec

from lattice_store.errors import (
    ApiError,
    InvalidArgumentError,
    LatticeStoreError,
)
from lattice_store.model import (
    DELIVER_ALL,
    Batch,
    Message,
)
from lattice_store.testing._forwarding import ForwardingReplay
from lattice_store_sim import SimServer, SimStorage

Make = Callable[[SimServer], SimStorage]


def overriding(**methods: Any) -> Make:
    """Return a maker of a `SimStorage` with some methods replaced; each is given the correct one first."""

    def make(server: SimServer) -> SimStorage:
        storage = SimStorage(server)
        for name, method in methods.items():
            correct = getattr(storage, name)
            setattr(storage, name, lambda *args, _m=method, _c=correct, **named: _m(_c, *args, **named))
        return storage

    return make


def without(**settings: Any) -> Make:
    """Streams are kept with these settings instead of those asked for."""

    async def wrong(correct, config):
        info = await correct(attrs.evolve(config, **settings))
        kept = {name: getattr(config, name) for name in settings if name != "duplicate_window_ns"}
        return attrs.evolve(info, config=attrs.evolve(info.config, **kept))

    return overriding(create_stream=wrong, update_stream=wrong)


def publishing(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Make:
    """Some argument of ``publish`` gets lost or altered on the way."""

    async def publish(correct, subject, payload, **options):
        given = change({"subject": subject, "payload": payload, **options})
        return await correct(given.pop("subject"), given.pop("payload"), **given)

    return overriding(publish=publish)


def dropping(*names: str) -> Make:
    return publishing(lambda given: {name: value for name, value in given.items() if name not in names})


def swallowing(error: type[LatticeStoreError], answer: Any, *methods: str) -> Make:
    """An error is answered as if all had been well."""

    async def call(correct, *args, **named):
        try:
            return await correct(*args, **named)
        except error:
            return answer

    return overriding(**dict.fromkeys(methods, call))


def answering(method: str, change: Callable[[Any], Any]) -> Make:
    """The answer of a method comes back altered."""

    async def call(correct, *args, **named):
        return change(await correct(*args, **named))

    return overriding(**{method: call})


def raising(change: Callable[[ApiError], Exception], *methods: str) -> Make:
    """Refusals come back as another error."""

    async def call(correct, *args, **named):
        try:
            return await correct(*args, **named)
        except ApiError as error:
            raise change(error) from None

    return overriding(**dict.fromkeys(methods, call))


def reporting(**changes: Any) -> Make:
    """The state of a stream is reported wrongly."""
    return answering(
        "stream_info", lambda info: attrs.evolve(info, state=msgspec.structs.replace(info.state, **changes))
    )


class WrongReplay(ForwardingReplay):
    """A replay whose batches, or what it says about itself, are altered."""

    def __init__(self, inner: Any, batch: Callable[[Batch], Batch] | None, claims: Mapping[str, Any]) -> None:
        super().__init__(inner)
        self._batch = batch
        self._claims = claims

    def __getattribute__(self, name: str) -> Any:
        claims = object.__getattribute__(self, "__dict__").get("_claims", {})
        return claims[name] if name in claims else object.__getattribute__(self, name)

    async def batches(self):
        async for batch in self._inner.batches():
            yield batch if self._batch is None else self._batch(batch)


def replaying(
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda asked: asked,
    *,
    batch: Callable[[Batch], Batch] | None = None,
    **claims: Any,
) -> Make:
    """A replay is opened with other arguments, or delivers altered batches, or claims what is not so."""

    @asynccontextmanager
    async def replay(correct, stream, *, subjects=(), deliver=DELIVER_ALL):
        async with correct(stream, **change({"subjects": subjects, "deliver": deliver})) as inner:
            yield WrongReplay(inner, batch, claims)

    return overriding(replay=replay)


def messages(change: Callable[[list[Message]], list[Message]]) -> Make:
    return replaying(batch=lambda batch: msgspec.structs.replace(batch, messages=change(list(batch.messages))))


def altered(message: Message, **changes: Any) -> Message:
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return Message(**{**fields, **changes})


def late(*methods: str) -> Make:
    """Bad input is sent, and refused by the server."""

    async def call(correct, *args, **named):
        try:
            return await correct(*args, **named)
        except InvalidArgumentError as error:
            raise ApiError(400, 10003, "bad request") from error

    return overriding(**dict.fromkeys(methods, call))
