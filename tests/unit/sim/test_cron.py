"""When cron patterns match; the expectations are those of a server, or follow from the calendar."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from lattice_store_sim._core._cron import cron_of

SECOND = 1_000_000_000


def following(pattern: str, after: str, zone: str = "UTC") -> str | None:
    """Return the next match after a UTC time, in UTC; None if there is none, or the pattern means nothing."""
    cron = cron_of(pattern)
    at = int(datetime.fromisoformat(after).replace(tzinfo=UTC).timestamp())
    found = None if cron is None else cron.next_after(at * SECOND, ZoneInfo(zone))
    return None if found is None else datetime.fromtimestamp(found // SECOND, UTC).isoformat()[:19]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("* * * * * *", "2026-11-28T08:53:46"),
        ("*/20 * * * * *", "2026-11-28T08:54:00"),
        ("45 * * * * *", "2026-11-28T08:54:45"),
        ("5/20 53 8 * * ?", "2026-11-29T08:53:05"),
        ("0 30 9-17/4 * * MON-fri", "2026-11-30T09:30:00"),
        ("0 0 0 1 1 *", "2027-01-01T00:00:00"),
        ("0 0 0 29 feb *", "2028-02-29T00:00:00"),
        ("0 0 0 13 * fri", "2026-12-04T00:00:00"),
        ("0 0 0 */13 * fri", "2026-12-01T00:00:00"),
        ("0 0 0 13 * */1", "2026-12-13T00:00:00"),
        ("0 0 0 ? 12 sun", "2026-12-06T00:00:00"),
        ("0,,0 0 0 , 12 6", "2026-12-05T00:00:00"),
        ("+7 0 0 1 1-3 *", "2027-01-01T00:00:07"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59"),
    ],
)
def test_a_pattern_matches_next(pattern, expected):
    assert following(pattern, "2026-11-28T08:53:45") == expected


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "* * * * *", "* * * * * * *", "60 * * * * *", "* 60 * * * *", "* * 24 * * *", "* * * 0 * *"),
        *(
            "* * * 32 * *",
            "* * * * 0 *",
            "* * * * 13 *",
            "* * * * * 7",
            "* * * * fri *",
            "* * * * * jan",
            "-1 * * * * *",
        ),
        *("5-1 * * * * *", "*/0 * * * * *", "*/x * * * * *", "1/2/3 * * * * *", "1-2-3 * * * * *", "1- * * * * *"),
        *("@daily", "0 0 0 30 feb *", "0 0 0 31 4,6,9,11 *", ", * * * * *", "* , * * * *", "0 0 , * * *"),
    ],
)
def test_a_pattern_that_means_nothing_or_never_matches(pattern):
    assert following(pattern, "2026-11-28T08:53:45") is None


@pytest.mark.parametrize(
    ("pattern", "after", "zone", "expected"),
    [
        ("0 30 9 * * *", "2026-11-28T08:00:00", "Europe/Berlin", "2026-11-28T08:30:00"),
        ("0 30 9 * * *", "2026-11-28T08:00:00", "America/New_York", "2026-11-28T14:30:00"),
        ("0 0 0 * * *", "2026-11-28T18:29:59", "Asia/Kolkata", "2026-11-28T18:30:00"),
        ("0 30 2 29 3 *", "2026-03-28T12:00:00", "Europe/Berlin", "2027-03-29T00:30:00"),  # skipped in spring
        ("0 30 2 * * *", "2026-10-25T00:00:00", "Europe/Berlin", "2026-10-25T00:30:00"),  # comes twice in autumn
        ("0 30 2 * * *", "2026-10-25T00:30:00", "Europe/Berlin", "2026-10-25T01:30:00"),
        ("0 0 * * * *", "2026-10-25T00:30:00", "Europe/Berlin", "2026-10-25T01:00:00"),
        ("0 15 1 29 3 *", "2026-03-28T12:00:00", "Europe/London", "2027-03-29T00:15:00"),
    ],
)
def test_a_pattern_is_about_the_time_of_its_zone(pattern, after, zone, expected):
    assert following(pattern, after, zone) == expected
