"""When a schedule comes due: what its pattern and time zone say (nats-server scheduler.go, ``parseMsgSchedule``)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lattice_store.errors import api_error
from lattice_store.limits import SECOND_NS
from lattice_store_sim._core._control import SCHEDULE, SCHEDULE_TIME_ZONE, header_of, read_header
from lattice_store_sim._core._cron import cron_of
from lattice_store_sim._core._durations import duration_of
from lattice_store_sim._core._profile import ServerProfile

_AT: Final = "@at "
_EVERY: Final = "@every "
_NAMED: Final = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DAY_S: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LEAP_CYCLE: Final = 400, 146_097
"""After so many years, which are so many days, the calendar is the same again."""
_NO_TIME_NS: Final = -62_135_596_800 * SECOND_NS
"""Go's zero time: a schedule for it is none."""


class Schedule(NamedTuple):
    """When something is to be published."""

    due_ns: int
    repeats: bool = False
    zone: tzinfo = UTC

    @property
    def due_text(self) -> str:
        """When it is due in RFC 3339, in its own time zone (Go's ``time.RFC3339Nano``)."""
        seconds, rest = divmod(self.due_ns, SECOND_NS)
        local = datetime.fromtimestamp(seconds, UTC).astimezone(self.zone)
        fraction = f".{rest:09}".rstrip("0") if rest else ""
        offset = local.isoformat()[19:]
        return f"{local.isoformat()[:19]}{fraction}{'Z' if offset == '+00:00' else offset}"


def schedule_of(block: bytes, time_ns: int, now_ns: int, profile: ServerProfile) -> Schedule | None:
    """Return when the schedule in a header block comes due after *time_ns*, None if there is no schedule.

    A schedule that would have come due several times by *now_ns* comes due once.

    Raises:
        ApiError: it makes no sense.
    """
    zone = _zone(block) if profile.schedules_repeat else None
    pattern = read_header(block, SCHEDULE).decode("utf-8", "replace")
    if not pattern:
        return None
    schedule = _once(pattern, zone) if pattern.startswith(_AT) else None
    if profile.schedules_repeat and not pattern.startswith(_AT):
        schedule = _every(pattern, zone, time_ns, now_ns) or _cron(pattern, zone, time_ns, now_ns)
    if schedule is None:
        raise api_error(400, 10189, "message schedules pattern is invalid")
    return None if schedule.due_ns == _NO_TIME_NS else schedule


# -- patterns -----------------------------------------------------------------------------------------


def _once(pattern: str, zone: tzinfo | None) -> Schedule | None:
    due_ns = time_of(pattern.removeprefix(_AT)) if zone is None else None
    return None if due_ns is None else Schedule(due_ns)


def _every(pattern: str, zone: tzinfo | None, time_ns: int, now_ns: int) -> Schedule | None:
    if not pattern.startswith(_EVERY) or zone is not None:
        return None
    interval_ns = duration_of(pattern.removeprefix(_EVERY))
    if interval_ns is None or interval_ns < SECOND_NS:
        return None
    due_ns = _rounded(time_ns) + interval_ns
    return Schedule(due_ns if due_ns >= now_ns else _rounded(now_ns) + interval_ns, repeats=True)


def _cron(pattern: str, zone: tzinfo | None, time_ns: int, now_ns: int) -> Schedule | None:
    cron = cron_of(_NAMED.get(pattern, pattern))
    if cron is None:
        return None
    due_ns = cron.next_after(time_ns, zone or UTC)
    if due_ns is not None and due_ns < now_ns:
        due_ns = cron.next_after(_rounded(now_ns), zone or UTC)
    return None if due_ns is None else Schedule(due_ns, repeats=True, zone=zone or UTC)


def _rounded(time_ns: int) -> int:
    """Return the nearest full second."""
    return (time_ns + SECOND_NS // 2) // SECOND_NS * SECOND_NS


# -- times and time zones -------------------------------------------------------------------------------


def time_of(text: str) -> int | None:
    """Return the nanoseconds since 1970 that an RFC 3339 text means, None if it is none (Go's ``time.Parse``)."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[group]) for group in range(1, 7))
    offset_h, offset_m = int(found[9] or 0), int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 59 or offset_h > 24 or offset_m > 60:
        return None
    later, days_later = _LEAP_CYCLE if year == 0 else (0, 0)
    try:
        days = date(year + later, month, day).toordinal() - days_later - _EPOCH
    except ValueError:
        return None
    offset_s = (offset_h * 60 + offset_m) * 60 * (-1 if found[8] == "-" else 1)
    fraction_ns = int((found[7] or "")[:9].ljust(9, "0"))
    return (days * _DAY_S + (hour * 60 + minute) * 60 + second - offset_s) * SECOND_NS + fraction_ns


def _zone(block: bytes) -> tzinfo | None:
    """Return the time zone that a block names, None if it names none (stream.go, ``loadMessageScheduleLocation``)."""
    value = header_of(block, SCHEDULE_TIME_ZONE)
    if value is None:
        return None
    name = value.decode("utf-8", "replace")
    if name in ("UTC", "Local"):  # a server's own time is taken to be UTC
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise api_error(400, 10223, "message schedules time zone is invalid") from None
