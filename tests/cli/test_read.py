"""``ls``, ``get``, ``dump``, in every form, on both backends."""

import base64
import json

import pytest

from lattice_store import LinkKey
from lattice_store.cli._exit import ExitCode
from tests.cli.harness import ECHO, HTTP_LINK, HTTP_SERVER, KEYVALUE_LINK, KVCOUNTER, RECORDS, SECRET, Place

KEYVALUE_KEY = ("link", KEYVALUE_LINK["actor_id"], KEYVALUE_LINK["contract_id"])


def test_ls_as_tables(filled: Place) -> None:
    result = filled.command("ls")
    assert (result.code, result.err) == (0, "")
    claims, links, references = (table.splitlines() for table in result.out.split("\n\n"))
    assert claims[0].split() == ["CLAIMS", "NAME", "VERSION", "CALL", "ALIAS", "CAPABILITIES", "REVISION"]
    assert [line.split()[0] for line in claims[1:]] == sorted([KVCOUNTER["sub"], HTTP_SERVER["sub"]])
    assert claims[1].split() == [KVCOUNTER["sub"], "kvcounter", "0.3.0", "-", "wasmcloud:httpserver", "1"]
    assert links[2].split()[1:3] == ["wasmcloud:keyvalue", "default"]
    assert links[2].split()[3:] == [KEYVALUE_LINK["provider_id"], "URL=***", "4"]
    assert references[1].split() == [ECHO["oci_url"], ECHO["public_key"], "5"]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_ls_as_json(filled: Place, form: str) -> None:
    result = filled.command("ls", "-o", form)
    assert (result.code, result.err) == (0, "")
    entries = result.json if form == "json" else result.jsonl
    assert {entry["revision"]: entry["kind"] for entry in entries} == {
        1: "claims",
        2: "claims",
        3: "link",
        4: "link",
        5: "oci",
    }
    by_revision = {entry["revision"]: entry for entry in entries}
    assert by_revision[1]["record"] == KVCOUNTER
    assert by_revision[1]["subjects"] == [f"lc.{filled.prefix}.claims.{KVCOUNTER['sub']}"]
    assert by_revision[3]["record"]["id"] == by_revision[3]["subjects"][0].rpartition(".")[2]
    assert by_revision[5]["record"] == ECHO


@pytest.mark.parametrize(("kind", "revisions"), [("claims", [1, 2]), ("links", [3, 4]), ("oci", [5])])
def test_ls_of_one_kind(filled: Place, kind: str, revisions: list[int]) -> None:
    result = filled.command("ls", kind, "-o", "jsonl")
    assert [entry["revision"] for entry in result.jsonl] == revisions
    assert len(filled.command("ls", kind).lines) == 1 + len(revisions)


def test_ls_of_an_empty_lattice(place: Place) -> None:
    place.ensure()
    assert place.command("ls", "-o", "json").json == []
    assert place.command("ls", "-o", "jsonl").out == ""
    assert [line.split()[0] for line in place.command("ls").lines if line] == ["CLAIMS", "LINK", "OCI"]


def test_ls_leaves_out_what_is_no_record_and_says_so(filled: Place) -> None:
    filled.publish("claims.MBROKEN", b"no JSON")
    result = filled.command("ls", "-o", "jsonl")
    assert (result.code, len(result.jsonl)) == (0, 5)
    assert result.complaint == "left out 1 message that cannot be read: see info"


def test_get_as_fields(filled: Place) -> None:
    result = filled.command("get", "claims", KVCOUNTER["sub"])
    assert (result.code, result.err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in result.lines)
    assert shown["name"] == "kvcounter"
    assert shown["call_alias"] == "-"
    assert shown["revision"] == "1"
    assert shown["subject"] == f"lc.{filled.prefix}.claims.{KVCOUNTER['sub']}"


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize(
    ("words", "revision", "value"),
    [
        (("claims", HTTP_SERVER["sub"]), 2, HTTP_SERVER),
        (("oci", ECHO["oci_url"]), 5, ECHO),
        (("link", HTTP_LINK["actor_id"], HTTP_LINK["contract_id"], "default"), 3, HTTP_LINK),
        (("link", HTTP_LINK["actor_id"], HTTP_LINK["contract_id"]), 3, HTTP_LINK),
    ],
)
def test_get_as_json(filled: Place, form: str, words: tuple[str, ...], revision: int, value: dict[str, object]) -> None:
    result = filled.command("get", *words, "-o", form, "--show-values")
    assert (result.code, result.err) == (0, "")
    assert result.json["revision"] == revision
    own_id = {"id": result.json["record"]["id"], "deleted": False} if "id" in value else {}
    assert result.json["record"] == {**value, **own_id}
    assert (len(result.lines) == 1) is (form == "jsonl")


def test_get_of_what_is_not_there(filled: Place) -> None:
    for words in (("claims", "MNOBODY"), ("link", "A", "b"), ("oci", "none")):
        result = filled.command("get", *words)
        assert (result.code, result.out) == (ExitCode.NOT_FOUND, "")
        assert f"in lattice {filled.prefix}" in result.complaint


def test_get_of_what_is_no_record(filled: Place) -> None:
    revision = filled.publish("claims.MBROKEN", b"hunter2")
    result = filled.command("get", "claims", "MBROKEN")
    assert (result.code, result.out) == (ExitCode.DATA, "")
    assert f"lc.{filled.prefix}.claims.MBROKEN at revision {revision}" in result.complaint
    assert "hunter2" not in result.err


@pytest.mark.parametrize(
    "words", [("claims",), ("claims", "A", "B"), ("link", "A"), ("link", "A", "b", "c", "d"), ("oci",)]
)
def test_get_with_too_few_or_many_words(place: Place, words: tuple[str, ...]) -> None:
    result = place.command("get", *words)
    assert result.code == ExitCode.USAGE
    assert f"{words[0]} is told apart by" in result.complaint


def test_values_of_links_are_masked_unless_asked_for(filled: Place) -> None:
    # A field that nobody knows may hold a secret as well.
    odd = {**KEYVALUE_LINK, "link_name": "odd", "values": {"URL": SECRET}, "password": SECRET}
    filled.publish("linkdefs.some-id", odd)
    odd_key = (*KEYVALUE_KEY, "odd")
    for form in ("table", "json", "jsonl"):
        for verb in (
            ("ls",),
            ("ls", "links"),
            ("get", *KEYVALUE_KEY),
            ("get", *odd_key),
            ("watch", "--until-caught-up"),
        ):
            hidden, shown = filled.command(*verb, "-o", form), filled.command(*verb, "-o", form, "--show-values")
            assert (hidden.code, shown.code) == (0, 0)
            assert SECRET not in hidden.out
            assert "***" in hidden.out
            assert SECRET in shown.out
            assert "***" not in shown.out


def test_hostile_records_cannot_steer_a_terminal(place: Place) -> None:
    place.ensure()
    evil = "\x1b]0;owned\x07\x9b31m\u202e[red]x[/red]\r\n"
    place.publish("claims.MEVIL", {"sub": "MEVIL", "iss": evil, "name": evil, "call_alias": evil, "caps": evil})
    place.publish("linkdefs.1", {**HTTP_LINK, "actor_id": evil, "link_name": evil, "values": {evil: evil}})
    for verb in (("ls",), ("get", "claims", "MEVIL"), ("watch", "--until-caught-up"), ("info",), ("dump",)):
        for form in ("table", "json", "jsonl"):
            options = () if verb == ("dump",) else ("-o", form)
            result = place.command(*verb, *options)
            assert result.code == 0
            text = result.out.replace("\n", "")
            assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(text)
    assert "[red]x[/red]" in place.command("ls").out
    (record,) = place.command("ls", "claims", "-o", "json").json
    assert record["record"]["name"] == evil  # JSON stays lossless
    lines = place.command("ls", "claims").lines
    assert len(lines) == 2


def test_dump_is_every_stored_byte(filled: Place) -> None:
    filled.publish("claims.MTEXT", b"no JSON")
    filled.publish("claims.MBYTES", b"\xff\x00")
    result = filled.command("dump")
    assert result.code == 0
    assert result.complaint == "the values of links are part of a dump, and may be secrets"
    assert [line["revision"] for line in result.jsonl] == [1, 2, 3, 4, 5, 6, 7]
    assert [json.loads(line["value"]) for line in result.jsonl[:2]] == [KVCOUNTER, HTTP_SERVER]
    assert json.loads(result.jsonl[3]["value"])["values"] == {"URL": SECRET}
    assert result.jsonl[5]["value"] == "no JSON"
    assert base64.b64decode(result.jsonl[6]["value_base64"]) == b"\xff\x00"
    stored = filled.do(lambda storage, lattice: storage.get_message(lattice.stream, 1))
    assert result.jsonl[0] == {"subject": stored.subject, "revision": 1, "value": stored.payload.decode()}


def test_dump_leaves_out_deletion_marks_unless_asked_for(filled: Place) -> None:
    key = LinkKey(HTTP_LINK["actor_id"], HTTP_LINK["contract_id"])
    assert filled.do(lambda _, lattice: lattice.remove(key)) == 6
    assert [line["revision"] for line in filled.command("dump").jsonl] == [1, 2, 4, 5]
    (mark,) = [line for line in filled.command("dump", "--all").jsonl if line.get("deleted")]
    assert mark["revision"] == 6
    assert json.loads(mark["value"])["deleted"] is True


def test_dump_of_an_empty_lattice(place: Place) -> None:
    place.ensure()
    assert place.command("dump").out == ""


def test_what_was_dumped_can_be_put_into_another_lattice(filled: Place) -> None:
    values = [line["value"] for line in filled.command("dump").jsonl]
    other = Place(f"{filled.prefix}-copy", filled.opener)
    assert other.command("put", "--create", stdin="\n".join(values)).code == 0
    assert [line["value"] for line in other.command("dump").jsonl] == values
    assert len(values) == len(RECORDS)


@pytest.mark.parametrize("verb", [("ls",), ("get", "oci", "x"), ("get", "link", "A", "b"), ("dump",), ("watch",)])
def test_a_lattice_without_a_stream(place: Place, verb: tuple[str, ...]) -> None:
    result = place.command(*verb)
    assert (result.code, result.out) == (ExitCode.CONNECTION, "")
    assert "the lattice is not here: see --lattice and --domain" in result.err.splitlines()[-1]


@pytest.mark.parametrize("prefix", ["a.b", "", "x y", "*"])
def test_a_prefix_that_is_none(place: Place, prefix: str) -> None:
    result = Place(prefix, place.opener).command("ls")
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert f"lattice prefix {prefix!r}" in result.complaint
