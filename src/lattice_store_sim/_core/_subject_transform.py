"""From one subject to another: what a stream does to subjects on their way in, and where it republishes to.

Source: nats-server subject_transform.go. A destination's tokens are literal, ``$1`` or ``{{function(...)}}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from lattice_store.subjects import matches
from lattice_store_sim._core._profile import ServerProfile

_ARGUMENTS: Final = re.compile(r",[\t\n\f\r ]*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")
_INT32: Final = 2**31
_INT64: Final = 2**63
_UINT32: Final = 2**32
_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619
_STIR: Final = 0x9E3779B97F4A7C15  # makes of neighbouring turns numbers that have nothing to do with each other
_SHORTEST_FUNCTION: Final = len("{{}}") + 1
_INVALID: Final = "invalid mapping destination"

Taken = Callable[[Sequence[str], int], str]
"""What a destination's token becomes: of the subject's tokens, and of a number that is another one each time."""


class TransformError(ValueError):
    """There is no such transform; the text is the server's."""


def _bad(problem: str, token: str) -> TransformError:
    return TransformError(f"{_INVALID}: {problem} in {token}")


class _Call(NamedTuple):
    """A function as a destination names it."""

    name: str
    token: str
    arguments: list[str]
    wildcards: tuple[int, ...] = ()
    """Which wildcards of the source it is about, counted from 1."""
    number: int = 0
    text: str = ""


_NAMES: Final = {
    "wildcard": "[wW]ildcard",
    "partition": "[pP]artition",
    "splitfromleft": "[sS]plit[fF]rom[lL]eft",
    "splitfromright": "[sS]plit[fF]rom[rR]ight",
    "slicefromleft": "[sS]lice[fF]rom[lL]eft",
    "slicefromright": "[sS]lice[fF]rom[rR]ight",
    "right": "[rR]ight",
    "left": "[lL]eft",
    "split": "[sS]plit",
    "random": "[rR]andom",
}
_CALLS: Final = {
    name: re.compile(rf"{{{{[\t\n\f\r ]*{spelled}[\t\n\f\r ]*\((.*)\)[\t\n\f\r ]*}}}}")
    for name, spelled in _NAMES.items()
}
_LEFT_AND_RIGHT: Final = frozenset({"left", "right"})


def _is_call(token: str) -> bool:
    return len(token) >= _SHORTEST_FUNCTION and token.startswith("{{") and token.endswith("}}")


def _known(profile: ServerProfile) -> list[str]:
    unknown = set() if profile.transforms_without_wildcards else {"random"}
    if profile.republish_bound:
        unknown |= _LEFT_AND_RIGHT
    return [name for name in _NAMES if name not in unknown]


# -- reading a destination --------------------------------------------------------------------------


def _read(token: str, profile: ServerProfile) -> _Call | None:
    """Return the function that a token calls, None for a literal token.

    Raises:
        TransformError: it calls none that there is, or calls it wrongly.
    """
    if len(token) > 1 and token.startswith("$"):
        number = _number(token[1:])
        return None if number is None else _Call("wildcard", token, [], (number,))
    if not _is_call(token):
        return None
    for name in _known(profile):
        if found := _CALLS[name].search(token):
            call = _Call(name, token, _ARGUMENTS.split(found[1]))
            match name:
                case "wildcard":
                    return _read_wildcard(call)
                case "partition":
                    return _read_partition(call, profile)
                case "random":
                    return _read_random(call)
                case _:
                    return _read_pair(call, wraps=profile.long_numbers_wrap)
    raise _bad("unknown function", token)


def _number(text: str) -> int | None:
    number = int(text) if _NUMBER.fullmatch(text) else _INT64
    return number if -_INT64 <= number < _INT64 else None


def _argument(call: _Call, text: str) -> int:
    number = _number(text.strip(" "))
    if number is None:
        raise _bad("function argument is invalid or in the wrong format", call.token)
    return number


def _small(call: _Call, text: str, *, wraps: bool) -> int:
    """Return a number that 32 bits have room for; of a larger one what they have of it, where it is not refused."""
    number = _argument(call, text)
    if wraps:
        return (number + _INT32) % _UINT32 - _INT32
    if number >= _INT32:
        raise _bad("function argument is invalid or in the wrong format", call.token)
    return number


def _check_count(call: _Call, count: int) -> None:
    if len(call.arguments) < count:
        raise _bad("not enough arguments passed to the function", call.token)
    if len(call.arguments) > count:
        raise _bad("too many arguments passed to the function", call.token)


def _read_wildcard(call: _Call) -> _Call:
    if call.arguments == [""]:
        raise _bad("not enough arguments passed to the function", call.token)
    _check_count(call, 1)
    return call._replace(wildcards=(_argument(call, call.arguments[0]),))


def _read_partition(call: _Call, profile: ServerProfile) -> _Call:
    if len(call.arguments) < 2 and not profile.transforms_without_wildcards:
        raise _bad("not enough arguments passed to the function", call.token)
    number = _small(call, call.arguments[0], wraps=profile.partition_counts_wrap)
    return call._replace(number=number, wildcards=tuple(_argument(call, each) for each in call.arguments[1:]))


def _read_random(call: _Call) -> _Call:
    if len(call.arguments) != 1:
        raise _bad("not enough arguments passed to the function", call.token)
    return call._replace(number=_small(call, call.arguments[0], wraps=False))


def _read_pair(call: _Call, *, wraps: bool) -> _Call:
    """Read a function of a wildcard and a position, size or delimiter."""
    _check_count(call, 2)
    wildcards = (_argument(call, call.arguments[0]),)
    second = call.arguments[1]
    if call.name == "split":
        if " " in second or "." in second:
            raise _bad("function argument is invalid or in the wrong format", call.token)
        return call._replace(wildcards=wildcards, text=second)
    number = _small(call, second, wraps=wraps)
    if number < -_INT32:
        raise _bad("function argument is invalid or in the wrong format", call.token)
    return call._replace(wildcards=wildcards, number=number)


# -- what the functions make ------------------------------------------------------------------------


def partition_of(key: str, count: int) -> int:
    """Return which of *count* partitions a key falls into (FNV-1a, 32 bits)."""
    number = _FNV_OFFSET
    for byte in key.encode():
        number = (number ^ byte) * _FNV_PRIME % _UINT32
    return number % (count % _UINT32) if count else 0


def _split(token: str, delimiter: str) -> str:
    parts = token.split(delimiter) if delimiter else list(token)
    made = ""
    for at, part in enumerate(parts):
        made += part
        if at < len(parts) - 1 and parts[at + 1] and not (at == 0 and not part):
            made += "."
    return made


def _slices(token: str, size: int, first: int) -> str:
    return ".".join(
        [*([token[:first]] if first else []), *(token[at : at + size] for at in range(first, len(token), size))]
    )


def _cut(name: str, token: str, size: int) -> str:
    """Return a token cut in one of the ways that need it to be longer than a size."""
    if not 0 < size < len(token):
        return token
    match name:
        case "splitfromleft":
            return f"{token[:size]}.{token[size:]}"
        case "splitfromright":
            return f"{token[:-size]}.{token[-size:]}"
        case "slicefromleft":
            return _slices(token, size, 0)
        case "slicefromright":
            return _slices(token, size, len(token) % size)
        case "left":
            return token[:size]
        case _:
            return token[-size:]


def _compiled(call: _Call, places: tuple[int, ...]) -> Taken:
    """Return what a call makes of a subject; *places* are those of its wildcards among the tokens."""
    name, number = call.name, call.number
    match name:
        case "partition" if places:
            return lambda tokens, _turn: str(partition_of("".join(tokens[place] for place in places), number))
        case "partition":
            return lambda tokens, _turn: str(partition_of(".".join(tokens), number))
        case "random":
            return lambda _tokens, turn: str((turn * _STIR % 2**64 >> 33) % abs(number) if number else 0)
        case "wildcard":
            return lambda tokens, _turn: tokens[places[0]] if places[0] < len(tokens) else ""
        case "split":
            return lambda tokens, _turn: _split(tokens[places[0]], call.text)
        case _:
            return lambda tokens, _turn: _cut(name, tokens[places[0]], number)


def _literal(token: str) -> Taken:
    return lambda _tokens, _turn: token


# -- transforms -------------------------------------------------------------------------------------


class SubjectTransform:
    """Makes one subject of another.

    Args:
        source: which subjects it is about; empty is all.
        destination: what it makes of them.
        profile: whose functions there are.

    Raises:
        TransformError: there is none from *source* to *destination*.
    """

    def __init__(self, source: str, destination: str, profile: ServerProfile) -> None:
        source = source or ">"
        self._changes_nothing = source == destination == ">"
        tokens, wanted = source.split("."), destination.split(".")
        rest = tokens[-1] == ">"
        # The server takes any token that begins with a star for one (sublist.go, ``isSubsetMatchTokenized``).
        self._filter = ".".join("*" if token.startswith("*") else token for token in tokens)
        if not (_is_valid(tokens) and _is_valid(wanted)) or "*" in wanted or rest != (wanted[-1] == ">"):
            raise TransformError("invalid subject")
        places = dict(enumerate((at for at, one in enumerate(tokens) if one == "*"), 1))
        self._rest_from = len(tokens) - 1 if rest else None
        taken = wanted[:-1] if rest else wanted
        if profile.republish_bound:
            self._taken = _taken_by_old(taken, places, tokens, profile)
        else:
            self._taken = [_token(one, places, tokens, profile) for one in taken]

    def match(self, subject: str, turn: int = 0) -> str | None:
        """Return what becomes of a literal subject, None if it is not matched; *turn* stands in for a throw of dice."""
        if self._changes_nothing:
            return subject
        tokens = subject.split(".")
        if not _is_valid(tokens) or "*" in tokens or ">" in tokens or not matches(self._filter, subject):
            return None
        made = [take(tokens, turn) for take in self._taken]
        if self._rest_from is not None:
            made += tokens[self._rest_from :]
        return ".".join(made)


def _is_valid(tokens: Sequence[str]) -> bool:
    return all(tokens) and ">" not in tokens[:-1]


def _token(token: str, places: dict[int, int], source: Sequence[str], profile: ServerProfile) -> Taken:
    call = _read(token, profile)
    if call is None:
        return _literal(token)
    free = call.name == "random" or (call.name == "partition" and not call.wildcards)
    has_wildcards = bool(places) or (profile.transforms_without_wildcards and source[-1] == ">")
    if not has_wildcards and not (profile.transforms_without_wildcards and call.name in {"random", "partition"}):
        raise _bad("wildcard index out of range", token)
    if free or not has_wildcards:
        return _compiled(call, ())
    for number in call.wildcards:
        if number > len(places):
            raise _bad("wildcard index out of range", f"{token}: [{number}]")
    return _compiled(call, tuple(places.get(number, 0) for number in call.wildcards))


def _taken_by_old(
    taken: Sequence[str], places: dict[int, int], source: Sequence[str], profile: ServerProfile
) -> list[Taken]:
    """Return what the tokens become in a version that looks for functions only where there are wildcards."""
    if not places and source[-1] != ">":
        return [_literal(one) for one in taken]
    if sum(_read(one, profile) is not None for one in taken) < len(places):
        raise _bad("not using all of the token wildcard(s)", ".".join(taken))
    return [_token(one, places, source, profile) for one in taken]


def transform_of(source: str, destination: str, profile: ServerProfile) -> SubjectTransform | None:
    """Return the transform between two subjects; to no destination there is none.

    Raises:
        TransformError: there is none from *source* to *destination*.
    """
    return SubjectTransform(source, destination, profile) if destination else None


def check_mapping(source: str, destination: str, profile: ServerProfile) -> None:
    """Refuse a mapping that a stream may not have.

    Raises:
        TransformError: with the server's text.
    """
    if not destination:
        return
    _check_tokens(destination, profile)
    SubjectTransform(source, destination, profile)


def are_destination_tokens(destination: str, profile: ServerProfile) -> bool:
    """Return whether each token of a destination is one, whatever the source is."""
    try:
        _check_tokens(destination, profile)
    except TransformError:
        return not destination
    return True


def _check_tokens(destination: str, profile: ServerProfile) -> None:
    tokens = destination.split(".")
    for at, token in enumerate(tokens):
        if not token or ">" in tokens[:at]:
            named = f" in {token}" if token or profile.empty_tokens_named else ""
            raise TransformError(f"{_INVALID}: invalid transform{named}")
        if _is_call(token):
            refused = _LEFT_AND_RIGHT if profile.left_and_right_refused else ()
            if not any(_CALLS[name].search(token) for name in _known(profile) if name not in refused):
                raise _bad("unknown function", token)
        elif not {*"\t\n\f\r "}.isdisjoint(token):
            raise TransformError(f"{_INVALID}: invalid transform")
