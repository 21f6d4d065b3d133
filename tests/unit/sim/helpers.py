"""Short ways to say what the tests of the core say over and over."""

from typing import Any

import attrs

from lattice_store.errors import ApiError
from lattice_store.headers import Headers
from lattice_store.model import Message, PubAck, StorageType, StreamConfig, StreamInfo
from lattice_store_sim._core import _stream, _stream_config
from lattice_store_sim._core._invariants import check
from lattice_store_sim._core._profile import NEWEST
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._translate import config_to_core, info_from_core

SECOND = 1_000_000_000


def config(**settings: Any) -> StreamConfig:
    return StreamConfig(**{"name": "S", "subjects": ("s.>",), "storage": StorageType.MEMORY, **settings})


def core_config(**settings: Any) -> _stream_config.StreamConfig:
    """The same in the core's terms, as a test needs it that goes around the verbs."""
    return config_to_core(config(**settings), NEWEST)


def block(*headers: tuple[str, str]) -> Headers:
    """A header block as it comes off the wire: repeated names and empty values are possible."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return Headers.from_block(f"NATS/1.0\r\n{lines}\r\n".encode()) if headers else Headers()


@attrs.define
class Bench:
    """A core with one stream "S" on "s.>" and a clock that the test sets; checked after every verb."""

    core: SimCore = attrs.field(factory=SimCore)
    now_ns: int = SECOND

    @classmethod
    def with_stream(cls, **settings: Any) -> "Bench":
        bench = cls()
        bench("create_stream", config(**settings))
        return bench

    def __call__(self, verb: str, *args: Any, **options: Any) -> Any:
        """Call a verb of the core; configurations and what is told of a stream are the library's values."""
        profile = self.core.context.profile
        given = [config_to_core(one, profile) if isinstance(one, StreamConfig) else one for one in args]
        try:
            answer = getattr(self.core, verb)(*given, now_ns=self.now_ns, **options)
        finally:
            check(self.core)
        return info_from_core(answer) if isinstance(answer, _stream.StreamInfo) else answer

    def publish(self, token: str, payload: bytes = b"", *headers: tuple[str, str]) -> PubAck:
        return self("publish", f"s.{token}", payload, block(*headers))

    def fill(self, tokens: str) -> "Bench":
        for token in tokens:
            self.publish(token)
        return self

    def refusal(self, verb: str, *args: Any, **options: Any) -> tuple[int, int, str]:
        """Return code, err_code and text of the refusal that the verb must meet, which changes nothing."""
        before = self.snapshot()
        try:
            answer = self.publish(*args) if verb == "publish" else self(verb, *args, **options)
        except ApiError as error:
            assert self.snapshot() == before
            return error.code, error.err_code, error.description
        raise AssertionError(f"{verb} was answered with {answer}")

    def snapshot(self) -> object:
        return {
            name: (stream.info(0), dict(stream.log.messages), dict(stream.dedupe._sequences), stream.last_message_id)
            for name, stream in self.core.streams.items()
        }

    def update(self, **settings: Any) -> StreamInfo:
        return self("update_stream", config(**settings))

    @property
    def state(self) -> tuple[int, int, int, int]:
        """Messages, first and last sequence, deleted in between."""
        state = self("stream_info", "S").state
        return state.messages, state.first_sequence, state.last_sequence, state.num_deleted

    @property
    def deadline_ns(self) -> int | None:
        return self.core.streams["S"].deadline_ns

    @property
    def bytes(self) -> int:
        return self("stream_info", "S").state.bytes

    @property
    def stored(self) -> list[int]:
        return list(self.core.streams["S"].log.messages)


def sequences(messages: list[Message]) -> list[int]:
    return [message.sequence for message in messages]
