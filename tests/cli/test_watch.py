"""``watch``: the events of a lattice; live ones are in test_process.py."""

import pytest

from lattice_store import CaughtUp, Reset, ResetReason
from lattice_store.cli._exit import ExitCode
from lattice_store.cli._present import event_json, event_line
from tests.cli.harness import ECHO, HTTP_LINK, KVCOUNTER, Place, record_of


def test_as_lines(filled: Place) -> None:
    filled.publish("claims.MBROKEN", b"no JSON")
    result = filled.command("watch", "--until-caught-up")
    assert (result.code, result.err) == (0, "")
    assert [line.split()[:2] for line in result.lines] == [
        *([what, str(revision)] for revision, what in enumerate(["put"] * 5 + ["corrupt"], start=1)),
        ["caught", "up"],
    ]
    assert result.lines[0] == f"put             1  claims {KVCOUNTER['sub']}  kvcounter 0.3.0"
    assert result.lines[3].endswith("URL=***")
    assert result.lines[5].startswith(f"corrupt         6  lc.{filled.prefix}.claims.MBROKEN  not the JSON")
    assert result.lines[6] == "caught up       6  5 records"


def test_as_json_lines(filled: Place) -> None:
    filled.publish("claims.MBROKEN", b"no JSON")
    events = filled.command("watch", "--until-caught-up", "-o", "jsonl").jsonl
    assert [event["type"] for event in events] == ["put"] * 5 + ["corrupt", "caught_up"]
    assert events[0]["record"] == KVCOUNTER
    assert events[4]["record"] == ECHO
    assert events[5]["revision"] == 6
    assert events[6] == {"type": "caught_up", "revision": 6, "records": 5}


def test_as_json_is_indented(filled: Place) -> None:
    result = filled.command("watch", "oci", "--until-caught-up", "-o", "json")
    assert result.lines[:3] == ["{", '  "type": "put",', '  "kind": "oci",']


@pytest.mark.parametrize(("kind", "revisions"), [("claims", [1, 2]), ("links", [3, 4]), ("oci", [5])])
def test_of_one_kind(filled: Place, kind: str, revisions: list[int]) -> None:
    *puts, caught_up = filled.command("watch", kind, "--until-caught-up", "-o", "jsonl").jsonl
    assert [event["revision"] for event in puts] == revisions
    assert caught_up["type"] == "caught_up"


def test_of_an_empty_lattice(place: Place) -> None:
    place.ensure()
    (event,) = place.command("watch", "--until-caught-up", "-o", "jsonl").jsonl
    assert event == {"type": "caught_up", "revision": 0, "records": 0}


def test_every_event_has_a_line_and_a_json_form(place: Place) -> None:
    async def events_of_a_life(storage, lattice):
        await lattice.ensure()
        seen = []
        async with lattice.watch() as watch:
            stream = aiter(watch)
            for act in (
                lambda: None,
                lambda: lattice.put(record_of(HTTP_LINK)),
                lambda: lattice.remove(record_of(HTTP_LINK).key),
                lambda: storage.publish(f"lc.{place.prefix}.claims.M", b"x"),
            ):
                if (doing := act()) is not None:
                    await doing
                seen.append(await anext(stream))
        return seen

    events = [*place.do(events_of_a_life), Reset(ResetReason.STREAM_WENT_BACK)]
    assert [event_json(event, show_values=False)["type"] for event in events] == [
        *("caught_up", "put", "removed"),
        *("corrupt", "reset"),
    ]
    assert event_json(events[2], show_values=False) == {
        "type": "removed",
        "kind": "link",
        "key": {
            "actor_id": HTTP_LINK["actor_id"],
            "contract_id": HTTP_LINK["contract_id"],
            "link_name": "default",
        },
        "revision": 2,
    }
    assert event_json(events[4], show_values=False) == {"type": "reset", "reason": "stream went back"}
    assert [event_line(event, show_values=False).split()[0] for event in events] == [
        *("caught", "put", "removed"),
        *("corrupt", "reset"),
    ]
    assert event_line(events[4], show_values=False) == "reset              stream went back"
    assert event_line(CaughtUp(1, 1), show_values=False) == "caught up       1  1 record"


def test_a_lattice_that_is_not_there_is_not_waited_for(place: Place) -> None:
    assert place.command("watch").code == ExitCode.CONNECTION
    assert place.do(lambda storage, _: storage.list_streams(subject=f"lc.{place.prefix}.>")) == ()
