"""What ``dump``, ``ls`` and ``get`` print, and ``put`` takes back."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from lattice_store import LinkKey
from lattice_store.cli._exit import ExitCode
from tests.cli.harness import ECHO, HTTP_LINK, KEYVALUE_LINK, KVCOUNTER, RECORDS, Place

HTTP_LINK_KEY = LinkKey(HTTP_LINK["actor_id"], HTTP_LINK["contract_id"])


def another(place: Place) -> Place:
    other = attrs.evolve(place, prefix=f"{place.prefix}-copy")
    other.ensure()
    return other


def records(place: Place) -> list[Any]:
    return [line["record"] for line in place.command("ls", "--show-values", "-o", "jsonl").jsonl]


def test_a_dump_is_put_back_where_it_came_from(filled: Place) -> None:
    before, dumped = records(filled), filled.command("dump").out
    filled.do(lambda storage, lattice: storage.delete_stream(lattice.stream))
    result = filled.command("put", "--create", "-o", "jsonl", stdin=dumped)
    assert (result.code, result.err) == (0, "")
    assert [line["revision"] for line in result.jsonl] == [1, 2, 3, 4, 5]
    assert records(filled) == before
    assert len(before) == len(RECORDS)


@pytest.mark.parametrize("reading", [("dump",), ("ls", "--show-values", "-o", "jsonl")])
def test_lines_are_put_into_another_lattice(filled: Place, reading: tuple[str, ...]) -> None:
    filled.publish("claims.MODD", {"sub": "MODD", "iss": "A", "unknown": {"kept": [1, None, "\u202e"]}})
    other = another(filled)
    assert other.command("put", stdin=filled.command(*reading).out).code == 0
    assert records(other) == records(filled)


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_what_get_prints_is_put_back(filled: Place, form: str) -> None:
    other = another(filled)
    got = filled.command("get", "claims", KVCOUNTER["sub"], "-o", form).out
    assert other.command("put", got).out == f"put  claims {KVCOUNTER['sub']}  at revision 1\n"
    assert records(other) == [KVCOUNTER]


def test_masked_values_are_not_put_back(filled: Place) -> None:
    filled.publish("linkdefs.1", {**HTTP_LINK, "link_name": "odd", "values": {}, "password": "hunter2"})
    for name in ("default", "odd"):
        key = ("link", HTTP_LINK["actor_id"], HTTP_LINK["contract_id"], name)
        result = filled.command("put", filled.command("get", *key, "-o", "jsonl").out)
        assert (result.code, result.out) == (ExitCode.DATA, "")
        assert "read it with --show-values" in result.complaint


def test_the_id_of_a_link_does_not_matter(place: Place) -> None:
    place.ensure()
    place.publish("linkdefs.drawn-by-a-host", {**HTTP_LINK, "id": "drawn-by-a-host"})
    dumped = place.command("dump").out
    other = another(place)
    for _ in range(2):
        assert other.command("put", stdin=dumped).code == 0
    assert len(other.command("dump").lines) == 1
    assert other.do(lambda _, lattice: lattice.get(HTTP_LINK_KEY)).record.values == HTTP_LINK["values"]


def test_deleted_marks_and_what_is_no_record_are_skipped_and_said(filled: Place) -> None:
    filled.do(lambda _, lattice: lattice.remove(HTTP_LINK_KEY))
    filled.publish("claims.MTEXT", b"no JSON")
    filled.publish("claims.MBYTES", b"\xff\x00")
    other = another(filled)
    result = other.command("put", stdin=filled.command("dump", "--all").out)
    assert (result.code, result.complaint) == (0, "skipped 1 deleted mark and 2 corrupt messages")
    assert records(other) == records(filled)
    marks = [line for line in filled.command("dump", "--all").lines if "deleted" in json.loads(line)]
    only_marks = other.command("put", stdin="\n".join(marks))
    assert (only_marks.code, only_marks.out, only_marks.complaint) == (0, "", "skipped 1 deleted mark")


@pytest.mark.parametrize("options", [(), ("--all",)])
def test_a_deleted_link_stays_deleted_though_an_older_value_stands_under_another_id(
    place: Place, options: tuple[str, ...]
) -> None:
    place.ensure()
    place.publish("linkdefs.one", HTTP_LINK)
    place.publish("linkdefs.two", {**HTTP_LINK, "deleted": True})
    place.publish("linkdefs.three", {**KEYVALUE_LINK, "deleted": True})
    place.publish("linkdefs.four", KEYVALUE_LINK)
    other = another(place)
    assert other.command("put", stdin=place.command("dump", *options).out).code == 0
    assert records(place)
    assert [{**record, "id": ""} for record in records(other)] == [{**record, "id": ""} for record in records(place)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"subject": "lc.default.claims.M", "value": "no JSON"}, "not the JSON of a claims record"),
        ({"subject": "lc.default.claims.M", "value": json.dumps(KVCOUNTER)}, "sub differs from the public key"),
        ({"subject": "lc.default.nonsense.M", "value": "{}"}, "unknown kind of record 'nonsense'"),
        ({"subject": "nonsense", "value": "{}"}, "its subject is not that of a record"),
        ({"subject": "other.default.claims.M", "value": "{}"}, "unknown kind of record 'other'"),
        ({"subject": 7, "value": "{}"}, "its subject is not that of a record"),
        ({"subject": "lc.*.claims.M", "value": "{}"}, "its subject is not that of a record"),
        ({"subject": "lc.default.claims.M"}, "a line of dump has value or value_base64"),
        ({"subject": "lc.default.claims.M", "value": ["hunter2"]}, "a line of dump has value or value_base64"),
        ({"subject": "lc.default.claims.M", "value_base64": "hunter2"}, "its value_base64 is not base64"),
        ({"kind": "actor", "record": KVCOUNTER}, "not a line of ls or get: "),
        ({"kind": [], "record": KVCOUNTER}, "not a line of ls or get: "),
        ({"record": KVCOUNTER}, "not a line of ls or get: "),
        ({"kind": "claims", "record": "\ud800"}, "not a line of ls or get: "),
        ({"kind": "claims", "record": ECHO}, "not the JSON of a claims record"),
        ({"kind": "claims", "record": "hunter2"}, "not the JSON of a claims record"),
    ],
)
def test_bad_lines_are_refused_before_anything_is_written(place: Place, line: dict[str, Any], says: str) -> None:
    place.ensure()
    result = place.command("put", stdin=json.dumps(ECHO) + json.dumps(line))
    assert (result.code, result.out) == (ExitCode.DATA, "")
    assert result.complaint.startswith("record 2: ")
    assert says in result.complaint
    assert "hunter2" not in result.err
    assert records(place) == []
