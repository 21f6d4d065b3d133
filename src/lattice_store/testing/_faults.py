"""What can be planned to go wrong: before a call, after it, late, or in the middle of a replay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from lattice_store.clock import Clock
from lattice_store.errors import InvalidArgumentError, StorageTimeoutError, StorageUnavailableError

FAULTY_METHODS: Final = (
    "create_stream",
    "update_stream",
    "delete_stream",
    "stream_info",
    "list_streams",
    "publish",
    "publish_many",
    "get_message",
    "get_last_message",
    "count_subjects",
    "delete_message",
    "purge",
    "replay",
)
"""The methods a fault can be for. Of ``publish_many`` each publication is a call, of ``replay`` each opening."""


def _known(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value not in FAULTY_METHODS:
        raise InvalidArgumentError(f"no fault can be for {value!r}; methods are {', '.join(FAULTY_METHODS)}")


def _at_least(lowest: int) -> Callable[[Any, attrs.Attribute[int], int], None]:
    def check(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
        if value < lowest:
            raise InvalidArgumentError(f"{attribute.name}={value} is below {lowest}")

    return check


@attrs.frozen
class Fault:
    """What happens to one call.

    Attributes:
        method: which method; one of `FAULTY_METHODS`.
        call: which of its calls, counted from 1.

    Raises:
        InvalidArgumentError: no such method, or a number below what makes sense.
    """

    method: str = attrs.field(validator=_known)
    call: int = attrs.field(default=1, kw_only=True, validator=_at_least(1))


@attrs.frozen
class Refuse(Fault):
    """The call does not reach the storage: `StorageUnavailableError` (REJECTED)."""


@attrs.frozen
class LoseAnswer(Fault):
    """The call is done, its answer is lost: `StorageTimeoutError` (UNKNOWN)."""


@attrs.frozen
class Delay(Fault):
    """The call is done *duration_ns* later, by the storage's clock."""

    duration_ns: int = attrs.field(kw_only=True, validator=_at_least(0))


@attrs.frozen
class Interrupt(Fault):
    """The replay ends with `ReplayInterruptedError` once it has delivered *after* messages."""

    method: str = attrs.field(default="replay", init=False)
    after: int = attrs.field(kw_only=True, validator=_at_least(0))


@attrs.frozen
class Due:
    """What happens to the call that is being made."""

    position: tuple[str, int]
    faults: tuple[Fault, ...]

    @property
    def refused(self) -> bool:
        return any(isinstance(fault, Refuse) for fault in self.faults)

    @property
    def answer_lost(self) -> bool:
        return any(isinstance(fault, LoseAnswer) for fault in self.faults)

    @property
    def interruption(self) -> int | None:
        return next((fault.after for fault in self.faults if isinstance(fault, Interrupt)), None)

    async def wait(self, clock: Clock) -> None:
        for fault in self.faults:
            if isinstance(fault, Delay):
                await clock.sleep(fault.duration_ns)

    def refusal(self) -> StorageUnavailableError:
        method, call = self.position
        return StorageUnavailableError(f"{method} call {call} was refused by a planned fault")

    def lost_answer(self) -> StorageTimeoutError:
        method, call = self.position
        return StorageTimeoutError(f"the answer to {method} call {call} was lost by a planned fault")
