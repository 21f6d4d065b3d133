"""Cron patterns as the server reads them: six fields from seconds to weekdays (nats-server cron.go).

They differ from other dialects in small things, such as that Sunday is 0 only and that a wrong field is no error
where it is empty between commas.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from lattice_store.limits import SECOND_NS

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
_YEARS: Final = 5
"""How far ahead a pattern must match."""
_EPOCH: Final = date(1970, 1, 1).toordinal()
_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Kind(NamedTuple):
    """What a field may hold."""

    least: int
    most: int
    names: tuple[str, ...] = ()


_KINDS: Final = (_Kind(0, 59), _Kind(0, 59), _Kind(0, 23), _Kind(1, 31), _Kind(1, 12, _MONTHS), _Kind(0, 6, _WEEKDAYS))


class _Field(NamedTuple):
    """What a field matches."""

    values: frozenset[int]
    starred: bool
    """Whether it asks for anything."""


class _BadFieldError(ValueError):
    """A field cannot be read."""


# -- reading a pattern --------------------------------------------------------------------------------


def _number(text: str, kind: _Kind) -> int:
    if text.lower() in kind.names:
        return kind.names.index(text.lower()) + kind.least
    if _NUMBER.fullmatch(text) is None:
        raise _BadFieldError(text)
    return int(text)


def _range(text: str, kind: _Kind) -> _Field:
    """Read one of the ranges between a field's commas, such as ``2-10/3``."""
    ends, *steps = text.split("/")
    low, *high = ends.split("-")
    starred = low in ("*", "?")
    if len(steps) > 1 or (len(high) > 1 and not starred):
        raise _BadFieldError(text)
    if starred:
        start, end = kind.least, kind.most
    else:
        start = _number(low, kind)
        end = _number(high[0], kind) if high else start
    step = _number(steps[0], _Kind(0, 0)) if steps else 1
    if steps and not high:
        end = kind.most
    if step == 0 or not kind.least <= start <= end <= kind.most:
        raise _BadFieldError(text)
    return _Field(frozenset(range(start, end + 1, step)), starred and step == 1)


def _field(text: str, kind: _Kind) -> _Field:
    ranges = [_range(one, kind) for one in text.split(",") if one]
    values = frozenset[int]().union(*(one.values for one in ranges))
    return _Field(values, any(one.starred for one in ranges))


class Cron(NamedTuple):
    """A pattern that could be read."""

    seconds: _Field
    minutes: _Field
    hours: _Field
    days: _Field
    months: _Field
    weekdays: _Field

    def next_after(self, time_ns: int, zone: tzinfo) -> int | None:
        """Return the next moment that matches, or None if none does within some years."""
        if not self.seconds.values or not self.minutes.values:
            return None
        walk = _Walk(time_ns // SECOND_NS + 1, zone)
        latest = walk.now.year + _YEARS
        while walk.now.year <= latest:
            if self._reach(walk):
                return walk.second * SECOND_NS
        return None

    def _reach(self, walk: _Walk) -> bool:
        """Walk on to what matches; return False where a larger field begins anew on the way, to be looked at again."""
        while walk.now.month not in self.months.values:
            walk.to_next_month()
            if walk.now.month == 1:
                return False
        while not self._is_day(walk.now):
            walk.to_next_day()
            if walk.now.day == 1:
                return False
        while walk.now.hour not in self.hours.values:
            walk.to_next_hour()
            if walk.now.hour == 0:
                return False
        while walk.now.minute not in self.minutes.values:
            walk.by(_MINUTE_S)
            if walk.now.minute == 0:
                return False
        while walk.now.second not in self.seconds.values:
            walk.by(1)
            if walk.now.second == 0:
                return False
        return True

    def _is_day(self, now: datetime) -> bool:
        """Return whether the day matches: by both fields if one asks for anything, else by either."""
        by_day = now.day in self.days.values
        by_weekday = now.isoweekday() % 7 in self.weekdays.values
        both = self.days.starred or self.weekdays.starred
        return (by_day and by_weekday) if both else (by_day or by_weekday)


def cron_of(pattern: str) -> Cron | None:
    """Return what a pattern means, None if it cannot be read."""
    texts = pattern.split()
    if len(texts) != len(_KINDS):
        return None
    try:
        return Cron(*map(_field, texts, _KINDS))
    except _BadFieldError:
        return None


# -- walking through local time ---------------------------------------------------------------------------


class _Walk:
    """A moment that moves forward. The first step of it goes from the beginning of what it steps by."""

    def __init__(self, second: int, zone: tzinfo) -> None:
        self._zone = zone
        self._aligned = False
        self._go(second)

    def _go(self, second: int) -> None:
        self.second = second
        self.now = datetime.fromtimestamp(second, UTC).astimezone(self._zone)

    def _align(self, day: int, hour: int) -> None:
        if not self._aligned:
            self._aligned = True
            self._go(self._second_at(date(self.now.year, self.now.month, day), hour * _HOUR_S))

    def to_next_month(self) -> None:
        self._align(1, 0)
        following = date(self.now.year, self.now.month, 1) + timedelta(days=31)
        self._go(self._second_at(following.replace(day=self.now.day), self._second_of_day()))

    def to_next_day(self) -> None:
        self._align(self.now.day, 0)
        self._go(self._second_at(self.now.date() + timedelta(days=1), self._second_of_day()))

    def to_next_hour(self) -> None:
        self._align(self.now.day, self.now.hour)
        self._go(self.second + _HOUR_S)

    def by(self, length_s: int) -> None:
        """Go on by a minute or a second."""
        if not self._aligned:
            self._aligned = True
            self._go(self.second // length_s * length_s)
        self._go(self.second + length_s)

    def _second_of_day(self) -> int:
        return self.now.hour * _HOUR_S + self.now.minute * _MINUTE_S + self.now.second

    def _second_at(self, day: date, second_of_day: int) -> int:
        """Return when a local clock shows that; what it skips or shows twice is found as Go does (``time.Date``)."""
        shown = (day.toordinal() - _EPOCH) * _DAY_S + second_of_day
        offset = self._offset_at(shown)
        return shown - (self._offset_at(shown - offset) if offset else 0)

    def _offset_at(self, second: int) -> int:
        offset = datetime.fromtimestamp(second, UTC).astimezone(self._zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds())
