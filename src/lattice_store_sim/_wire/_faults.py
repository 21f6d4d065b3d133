"""What can be made to go wrong between a server and its clients, and when it does: by dice that always fall alike.

Each fault has dice of its own. So the same faults under the same seed, met by the same messages and connections in the
same order, do the same, and one fault more does not move the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Final, Literal, TypeVar, get_args

import msgspec

from lattice_store.errors import InvalidArgumentError
from lattice_store.subjects import check_filter, matches

Way = Literal["both", "in", "out"]

_MASK: Final = (1 << 64) - 1
_FaultT = TypeVar("_FaultT", bound="Fault")


_LEAST: Final = {"times": 0, "seconds": 0, "bytes": 0, "messages": 1}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong.

    Attributes:
        chance: how likely it is each time that it could happen.
        times: how often it happens at most; None for any number of times.

    Raises:
        InvalidArgumentError: a value makes no sense.
    """

    chance: float = 1.0
    times: int | None = None

    first: ClassVar[str] = "chance"
    """The attribute that a text gives behind the fault's name."""

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise InvalidArgumentError(f"chance={self.chance} is no probability from 0 to 1")
        for name, least in _LEAST.items():
            value = getattr(self, name, None)
            if value is not None and not value >= least:
                raise InvalidArgumentError(f"{name}={value} is below {least}")


def _check_subject(subject: object) -> None:
    if not isinstance(subject, str):  # such as a chance that was given without its name
        raise InvalidArgumentError(f"subject={subject!r} is no subject; a chance is given as chance=…")
    check_filter(subject)


class Drop(Fault, frozen=True):
    """A message is lost: one that a client publishes (*way* ``in``), one that the server itself sends (``out``), or either.

    Attributes:
        subject: which messages, by a filter.
        way: on which way.
    """

    subject: str = ">"
    way: Way = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_subject(self.subject)
        if self.way not in get_args(Way):
            raise InvalidArgumentError(f"way={self.way!r} is none of {', '.join(get_args(Way))}")


class Delay(Fault, frozen=True):
    """What a client is sent arrives *seconds* later, all behind it as well."""

    seconds: float
    first = "seconds"


class CutAfter(Fault, frozen=True):
    """A connection is cut once its client was sent so many bytes, in the middle of a message or not."""

    bytes: int
    first = "bytes"


class Refuse(Fault, frozen=True):
    """A connection is ended as soon as it is there."""


class NoResponders(Fault, frozen=True):
    """A request is answered with "no responders", and nobody hears of it.

    Attributes:
        subject: which requests, by a filter.
    """

    subject: str = ">"
    first = "subject"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_subject(self.subject)


class StallAfter(Fault, frozen=True):
    """Once a client was sent so many bytes, the server neither writes to it nor reads from it.

    Attributes:
        bytes: after how many.
        seconds: for how long; None for ever, until too much waits for the client.
    """

    bytes: int
    seconds: float | None = None
    first = "bytes"


class RestartAfter(Fault, frozen=True):
    """The server restarts once clients have published so many messages, requests among them: what is in memory is lost."""

    messages: int
    first = "messages"


# -- as text ----------------------------------------------------------------------------------------

_KINDS: Final[dict[str, type[Fault]]] = {
    "cut-after": CutAfter,
    "delay": Delay,
    "drop": Drop,
    "no-responders": NoResponders,
    "refuse": Refuse,
    "restart-after": RestartAfter,
    "stall-after": StallAfter,
}


def parse(text: str) -> Fault:
    """Return what a text such as ``drop=0.1,subject=orders.>`` or ``cut-after=4096,times=3`` says.

    The value behind the name is the fault's most telling one; the others have their names.

    Raises:
        InvalidArgumentError: it says no fault.
    """
    name, _, _ = text.replace(",", "=").partition("=")
    if name not in _KINDS:
        raise InvalidArgumentError(f"{text!r} is no fault: those are {', '.join(_KINDS)}")
    kind = _KINDS[name]
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for part in text.split(","):
        option, given, value = part.partition("=")
        option = kind.first if option == name else option
        if not given and part == name:
            continue
        if option not in types:
            raise InvalidArgumentError(f"{part!r} in {text!r} is no option of {name}: {', '.join(types)}")
        values[option] = _value(value, types[option], text)
    try:
        return kind(**values)
    except TypeError as error:
        raise InvalidArgumentError(f"{text!r} does not say {kind.first}: {name}=…") from error


def _value(value: str, type_: object, text: str) -> object:
    try:
        if type_ in (int, int | None):
            return int(value)
        return float(value) if type_ in (float, float | None) else value
    except ValueError as error:
        raise InvalidArgumentError(f"{value!r} in {text!r} is no number") from error


# -- when -------------------------------------------------------------------------------------------


class _Planned:
    """A fault, its dice and how often it may still happen."""

    def __init__(self, fault: Fault, seed: int) -> None:
        self.fault = fault
        self.left = fault.times
        self._state = seed & _MASK

    def happens(self) -> bool:
        """Throw the dice, if there is need for them."""
        if self.left == 0 or not (self.fault.chance >= 1 or self._draw() < self.fault.chance):
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def _draw(self) -> float:
        """Return the next number from 0 to 1 (Steele, Lea, Flood: SplitMix64)."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)


def _nothing() -> None:
    pass


class Faults:
    """What goes wrong at one server from now on. Nothing does until `set`.

    Args:
        seed: of the dice.
        changed: is called when there are other faults.
        restart: is called to restart the server.
    """

    def __init__(
        self, seed: int = 0, changed: Callable[[], None] = _nothing, restart: Callable[[], object] = _nothing
    ) -> None:
        self._seed = seed
        self._changed = changed
        self._restart = restart
        self._planned: list[_Planned] = []
        self._published = 0

    def __repr__(self) -> str:
        return f"Faults({', '.join(repr(each.fault) for each in self._planned)})"

    def __bool__(self) -> bool:
        return bool(self._planned)

    def set(self, *faults: Fault) -> None:
        """Let these go wrong from now on, in place of those before; the dice begin anew."""
        self._published = 0
        self._planned = [_Planned(fault, self._seed * 0x2545F491 + at + 1) for at, fault in enumerate(faults)]
        self._changed()

    def clear(self) -> None:
        """Let nothing go wrong any more. Clients that were stalled are served again."""
        self.set()

    def __iter__(self) -> Iterator[Fault]:
        return (each.fault for each in self._planned)

    def _of(self, kind: type[_FaultT]) -> Iterator[tuple[_FaultT, _Planned]]:
        return ((each.fault, each) for each in self._planned if isinstance(each.fault, kind))

    # -- messages -------------------------------------------------------------------------------

    def note_published(self) -> None:
        """Note a message of a client; it may have been one too many."""
        self._published += 1
        for fault, planned in self._of(RestartAfter):
            if self._published % fault.messages == 0 and planned.happens():
                self._restart()

    def drops(self, subjects: Sequence[str], way: Way) -> bool:
        """Return whether a message that has gone under these names is lost."""
        return any(
            fault.way in (way, "both")
            and any(subject and matches(fault.subject, subject) for subject in subjects)
            and planned.happens()
            for fault, planned in self._of(Drop)
        )

    def is_unheard(self, subject: str) -> bool:
        """Return whether a request is to be answered as if nobody listened."""
        return any(matches(fault.subject, subject) and planned.happens() for fault, planned in self._of(NoResponders))

    # -- connections ----------------------------------------------------------------------------

    def refuses(self) -> bool:
        """Return whether a new connection is ended at once."""
        return any(planned.happens() for _, planned in self._of(Refuse))

    def cut_after(self) -> int | None:
        """Return after how many bytes a connection is cut, None if it is not."""
        return min((fault.bytes for fault, planned in self._of(CutAfter) if planned.happens()), default=None)

    def stall_after(self) -> StallAfter | None:
        """Return when and for how long a connection stalls, None if it does not."""
        return next((fault for fault, planned in self._of(StallAfter) if planned.happens()), None)

    def delay_s(self) -> float:
        """Return how much later the next piece arrives."""
        return sum(fault.seconds for fault, planned in self._of(Delay) if planned.happens())
