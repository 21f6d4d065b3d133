"""``put`` and ``del``: what they write, and that nothing is half-written."""

import json
from pathlib import Path

import attrs
import pytest

from lattice_store import ClaimsKey, LinkKey, OciReferenceKey, StreamConfig
from lattice_store._formats import StreamFormat
from lattice_store.cli._exit import ExitCode
from tests.cli.harness import ECHO, HTTP_LINK, KEYVALUE_LINK, KVCOUNTER, RECORDS, Place, command

LINK_WORDS = ("link", HTTP_LINK["actor_id"], HTTP_LINK["contract_id"])


def _file(folder: Path, value: dict[str, object]) -> Path:
    file = folder / "record.json"
    file.write_text(json.dumps(value, indent=2))
    return file


def held(place: Place) -> int:
    return place.do(lambda storage, lattice: storage.stream_info(lattice.stream)).state.last_sequence


def test_put_from_each_source(place: Place, tmp_path: Path) -> None:
    place.ensure()
    results = [
        place.command("put", json.dumps(KVCOUNTER)),
        place.command("put", "--file", str(_file(tmp_path, ECHO))),
        place.command("put", stdin=json.dumps(HTTP_LINK)),
        place.command("put", "-f", str(_file(tmp_path, KEYVALUE_LINK))),
    ]
    assert [(result.code, result.err) for result in results] == [(0, "")] * 4
    assert results[0].out == f"put  claims {KVCOUNTER['sub']}  at revision 1\n"
    entry = place.do(lambda _, lattice: lattice.get(ClaimsKey(KVCOUNTER["sub"])))
    assert entry.record.to_json() == KVCOUNTER
    assert held(place) == 4


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_put_and_del_as_json(place: Place, form: str) -> None:
    place.ensure()
    key = {"actor_id": HTTP_LINK["actor_id"], "contract_id": HTTP_LINK["contract_id"], "link_name": "default"}
    result = place.command("put", json.dumps(HTTP_LINK), "-o", form)
    assert (result.code, result.json) == (0, {"kind": "link", "key": key, "revision": 1})
    result = place.command("del", *LINK_WORDS, "-o", form)
    assert (result.code, result.json) == (0, {"kind": "link", "key": key, "revision": 2})
    assert (len(result.lines) == 1) is (form == "jsonl")


def test_put_of_several_as_json_lines(place: Place) -> None:
    place.ensure()
    result = place.command("put", "-o", "jsonl", stdin="\n".join(map(json.dumps, RECORDS)))
    assert (result.code, result.err) == (0, "")
    assert [line["revision"] for line in result.jsonl] == [1, 2, 3, 4, 5]
    # Equal claims are not written again: their owner keeps its call alias.
    again = place.command("put", "-o", "jsonl", stdin="\n".join(map(json.dumps, RECORDS[:2])))
    assert [line["revision"] for line in again.jsonl] == [1, 2]


def test_put_needs_a_lattice_or_makes_one(place: Place) -> None:
    refused = place.command("put", json.dumps(ECHO))
    assert (refused.code, refused.out) == (ExitCode.CONNECTION, "")
    assert place.command("put", "--create", json.dumps(ECHO)).code == 0
    assert place.command("put", "--create", json.dumps(KVCOUNTER)).code == 0
    assert place.command("info", "-o", "json").json["outcome"] == "identical"


def test_put_create_where_another_stream_holds_the_subjects(place: Place) -> None:
    foreign = StreamConfig(name=f"FOREIGN_{place.prefix}", subjects=[f"lc.{place.prefix}.claims.>"])
    place.do(lambda storage, _: storage.create_stream(foreign))
    result = place.command("put", "--create", json.dumps(ECHO))
    assert (result.code, result.out) == (ExitCode.CONNECTION, "")
    assert "subjects overlap" in result.complaint
    assert place.do(lambda storage, _: storage.stream_info(foreign.name)).state.messages == 0


def test_expectations(place: Place) -> None:
    place.ensure()
    echo = json.dumps(ECHO)
    assert place.command("put", echo, "--expect", "absent").code == 0
    late = place.command("put", echo, "--expect", "absent")
    assert (late.code, late.out) == (ExitCode.DATA, "")
    assert (
        late.complaint
        == f"OCI reference {ECHO['oci_url']} is at revision 1, expected absent; get it, then decide again"
    )
    assert place.command("put", echo, "--expect", "7").code == ExitCode.DATA
    assert place.command("put", echo, "--expect", "1").code == 0
    assert place.command("del", "oci", ECHO["oci_url"], "--expect", "1").code == ExitCode.DATA
    assert held(place) == 2
    assert place.command("del", "oci", ECHO["oci_url"], "--expect", "2").code == 0
    assert held(place) == 3


def test_expectations_of_links(place: Place) -> None:
    place.ensure()
    assert place.command("put", json.dumps(HTTP_LINK), "--expect", "absent").code == 0
    assert place.command("put", json.dumps(HTTP_LINK), "--expect", "9").code == ExitCode.DATA
    assert place.command("put", json.dumps(HTTP_LINK), "--expect", "1").code == 0
    assert place.command("del", *LINK_WORDS, "--expect", "2").code == 0
    assert held(place) == 3


def test_one_expectation_cannot_speak_of_two_records(place: Place) -> None:
    result = place.command("put", "--expect", "absent", stdin=json.dumps(ECHO) + json.dumps(KVCOUNTER))
    assert result.code == ExitCode.USAGE
    assert result.complaint == "--expect speaks of one record; 2 were given"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "no JSON was given"),
        (" \n ", "no JSON was given"),
        ("{", "not JSON at line 1, column 2"),
        ('{"oci_url": "a"}\n{"oci_url": nonsense}', "not JSON at line 2, column 13"),
        ("[]", "record 1: a record is a JSON object, not a list"),
        ('"text"', "record 1: a record is a JSON object, not a str"),
        ('{"name": "x"}', "record 1: its fields do not tell whether it is claims, link or oci: say --kind"),
        ('{"sub": "M", "oci_url": "x"}', "say --kind"),
        (json.dumps({**ECHO, "public_key": "a b"}), "OciReference.public_key"),
        (json.dumps({**KVCOUNTER, "rev": []}), "$.rev"),
        (json.dumps({**HTTP_LINK, "values": {"PORT": 8080}}), "$.values[...]"),
        (json.dumps({**HTTP_LINK, "deleted": True}), "it is marked as deleted: use del"),
        (json.dumps({**HTTP_LINK, "values": {"PORT": "***"}}), "read it with --show-values"),
        ('{"sub": NaN}', "not the JSON of a claims record"),
        (b"\xff", "not UTF-8 at byte 0"),
        (json.dumps(ECHO) + '{"oci_url": "a", "x": ' + "9" * 5000 + "}", "record 2: a number is too long to be read"),
        ('{"oci_url": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_json_is_refused_before_anything_is_written(place: Place, given: str | bytes, says: str) -> None:
    place.ensure()
    result = place.command("put", stdin=given)
    assert (result.code, result.out) == (ExitCode.DATA, "")
    assert says in result.complaint
    assert held(place) == 0


def test_good_records_before_a_bad_one_are_not_written(place: Place) -> None:
    place.ensure()
    result = place.command("put", stdin=json.dumps(ECHO) + '{"name": "neither"}')
    assert (result.code, result.out) == (ExitCode.DATA, "")
    assert result.complaint.startswith("record 2: its fields do not tell")
    assert held(place) == 0


def test_errors_do_not_repeat_secrets(place: Place) -> None:
    place.ensure()
    for values in ({"URL": ["hunter2"]}, {"URL": {"hunter2": 1}}, {"URL": "hunter2", "x": 1}):
        result = place.command("put", json.dumps({**HTTP_LINK, "values": values}))
        assert result.code == ExitCode.DATA
        assert "hunter2" not in result.err
    result = place.command("put", '{"actor_id": "A", "values": {"URL": "hunter2"')
    assert result.code == ExitCode.DATA
    assert "hunter2" not in result.err


def test_kind_decides_where_fields_do_not_tell(place: Place) -> None:
    place.ensure()
    both = json.dumps({**ECHO, "sub": "unknown to references"})
    assert place.command("put", both).code == ExitCode.DATA
    assert place.command("put", both, "--kind", "oci").code == 0
    entry = place.do(lambda _, lattice: lattice.get(OciReferenceKey(ECHO["oci_url"])))
    assert entry.record.extra == {"sub": "unknown to references"}
    assert place.command("put", json.dumps(KVCOUNTER), "--kind", "oci").code == ExitCode.DATA


def test_put_stops_at_the_first_refusal_and_says_how_far_it_came(place: Place) -> None:
    place.ensure()
    too_large = {**ECHO, "oci_url": "big", "extra": "x" * (1 << 20)}
    result = place.command("put", stdin=json.dumps(ECHO) + json.dumps(too_large))
    assert (result.code, held(place)) == (ExitCode.DATA, 0)  # told before anything is written
    small = attrs.evolve(StreamFormat(place.prefix).config(), max_msg_size=1000)
    place.do(lambda storage, _: storage.update_stream(small))
    large = {**ECHO, "oci_url": "big", "extra": "x" * 2000}
    result = place.command("put", stdin=json.dumps(ECHO) + json.dumps(large) + json.dumps(KVCOUNTER))
    assert result.code == ExitCode.DATA
    assert result.lines == [f"put  OCI reference {ECHO['oci_url']}  at revision 1"]
    told, why = result.err.splitlines()
    assert told == "lattice-store: stopped at record 2 of 3; those before it are stored"
    assert "message size exceeds maximum allowed" in why
    assert held(place) == 1


def test_del(filled: Place) -> None:
    for words, key in (
        (LINK_WORDS, LinkKey(HTTP_LINK["actor_id"], HTTP_LINK["contract_id"])),
        (("claims", KVCOUNTER["sub"]), ClaimsKey(KVCOUNTER["sub"])),
        (("oci", ECHO["oci_url"]), OciReferenceKey(ECHO["oci_url"])),
    ):
        result = filled.command("del", *words)
        assert (result.code, result.err) == (0, "")
        assert result.out.startswith(f"deleted  {key}  at revision ")
        assert filled.do(lambda _, lattice, key=key: lattice.find(key)) is None
        again = filled.command("del", *words)
        assert (again.code, again.out) == (ExitCode.NOT_FOUND, "")
        assert again.complaint == f"no {key} in lattice {filled.prefix}: nothing to delete"
    assert held(filled) == 8


def test_a_file_that_cannot_be_read(place: Place, tmp_path: Path) -> None:
    result = place.command("put", "--file", str(tmp_path / "none"))
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert "No such file or directory" in result.complaint
    result = place.command("put", "--file", str(tmp_path))
    assert result.code == ExitCode.USAGE


def test_a_record_is_given_once(place: Place) -> None:
    result = place.command("put", json.dumps(ECHO), "--file", "record.json")
    assert result.code == ExitCode.USAGE
    assert result.complaint == "give the JSON as an argument or as --file, not both"


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", "{}", "--expect", "soon"),
        ("put", json.dumps(ECHO), "--expect=-1"),
        ("put", "{}", "--kind", "actor"),
        ("del", "oci", "x", "--expect", "absent"),
        ("del", "oci", "x", "--expect", "0"),
        ("ls", "actors"),
        ("ls", "-o", "yaml"),
        ("ls", "--nonsense"),
        ("nonsense",),
        ("get",),
        ("get", "oci", "\udcff"),
        ("get", "link", "A", "c", "\udcff"),
        ("del", "claims", "\udcff"),
        ("demo", "--nats-server", "--url", "sim://"),
    ],
)
def test_wrong_command_lines(arguments: tuple[str, ...]) -> None:
    result = command(*arguments, *(("--url", "sim://") if "demo" not in arguments else ()))
    assert (result.code, result.out) == (ExitCode.USAGE, "")
    assert result.complaint
