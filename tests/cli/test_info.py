"""``info`` and `Lattice.inspect`: everything is said, nothing is changed."""

import attrs
import pytest

from lattice_store import EnsureOutcome, Lattice, StreamConfig
from lattice_store._formats import StreamFormat
from lattice_store.cli._exit import ExitCode
from lattice_store.limits import SECOND_NS
from lattice_store.model import StorageType
from tests.cli.harness import HTTP_LINK, KVCOUNTER, Place


def create(place: Place, **settings: object) -> None:
    config = attrs.evolve(StreamFormat(place.prefix).config(), **settings)
    place.do(lambda storage, _: storage.create_stream(config))


def test_of_a_lattice_as_hosts_make_it(filled: Place) -> None:
    result = filled.command("info")
    assert (result.code, result.err) == (0, "")
    said = dict(line.split(maxsplit=1) for line in result.lines)
    assert said["lattice"] == filled.prefix
    assert said["stream"] == f"LATTICECACHE_{filled.prefix}"
    assert said["outcome"].startswith("identical")
    assert said["kept"] == "1 replica, in memory"
    assert said["holds"].startswith("5 messages, ")
    assert (said["revision"], said["claims"], said["links"], said["oci"], said["corrupt"]) == ("5", "2", "2", "1", "0")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_as_json(filled: Place, form: str) -> None:
    result = filled.command("info", "-o", form)
    assert result.code == 0
    assert (len(result.lines) == 1) is (form == "jsonl")
    said = result.json
    assert said["outcome"] == "identical"
    assert said["records"] == {"claims": 2, "links": 2, "oci": 1}
    assert said["revision"] == said["state"]["last_sequence"] == 5
    assert said["config"]["storage"] == "memory"
    assert said["config"]["max_msgs_per_subject"] == 1
    assert (said["differences"], said["warnings"], said["corrupt"], said["alias_conflicts"]) == ([], [], [], [])


def test_differences_and_warnings_are_said_in_words(place: Place) -> None:
    create(place, storage=StorageType.FILE, description="by hand", max_age_ns=3600 * SECOND_NS)
    before = place.do(lambda _, lattice: lattice.inspect()).info
    result = place.command("info")
    assert result.code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.lines}
    assert rows["outcome"][0] == "custom:"
    assert rows["storage"] == ["memory", "file"]
    assert rows["description"] == ["none", "by", "hand"]
    (warning,) = [line for line in result.lines if line.startswith("warning: ")]
    assert "records disappear 3600 s after their last put" in warning
    said = place.command("info", "-o", "json").json
    assert {"setting": "storage", "default": "memory", "actual": "file"} in said["differences"]
    assert [warning["setting"] for warning in said["warnings"]] == ["max_age_ns"]
    assert place.do(lambda _, lattice: lattice.inspect()).info == before


def test_what_is_no_record_and_aliases_in_conflict(place: Place) -> None:
    place.ensure()
    place.publish("claims.MB", {**KVCOUNTER, "sub": "MB", "call_alias": "counter"})
    place.publish("claims.MA", {**KVCOUNTER, "sub": "MA", "call_alias": "counter"})
    place.publish("claims.MBROKEN", b"hunter2")
    result = place.command("info")
    assert result.code == 0
    assert "conflict: call alias counter belongs to MB, and not to MA" in result.lines
    (corrupt,) = [line for line in result.lines if line.startswith("corrupt: ")]
    assert corrupt.startswith(f"corrupt: lc.{place.prefix}.claims.MBROKEN at revision 3: not the JSON")
    assert "hunter2" not in result.out
    said = place.command("info", "-o", "json").json
    assert said["alias_conflicts"] == [{"call_alias": "counter", "owner": "MB", "others": ["MA"]}]
    assert [(each["subject"], each["revision"]) for each in said["corrupt"]] == [
        (f"lc.{place.prefix}.claims.MBROKEN", 3)
    ]


def test_of_a_lattice_that_is_not_there(place: Place) -> None:
    result = place.command("info")
    assert (result.code, result.err) == (ExitCode.CONNECTION, "")
    assert result.lines[2].startswith("outcome  missing: there is no such stream")
    assert place.command("info", "-o", "json").json["outcome"] == "missing"
    assert place.do(lambda storage, lattice: storage.list_streams(subject=f"lc.{lattice.prefix}.>")) == ()


def test_of_a_lattice_whose_subjects_another_stream_holds(place: Place) -> None:
    foreign = f"FOREIGN_{place.prefix}"
    config = StreamConfig(name=foreign, subjects=[f"lc.{place.prefix}.linkdefs.*"])
    place.do(lambda storage, _: storage.create_stream(config))
    result = place.command("info")
    assert result.code == ExitCode.CONNECTION
    assert f"overlapping  {foreign}" in result.lines
    assert place.command("info", "-o", "json").json["overlapping"] == [foreign]
    seen, tried = place.do(_look_then_ensure)
    assert (seen.outcome, seen.overlapping, seen.error) == (EnsureOutcome.OVERLAPPED, (foreign,), None)
    assert (tried.outcome, tried.overlapping) == (seen.outcome, seen.overlapping)


async def _look_then_ensure(_: object, lattice: Lattice):
    return await lattice.inspect(), await lattice.ensure()


def test_inspect_tells_what_ensure_would_find(place: Place) -> None:
    async def both(_: object, lattice: Lattice):
        return await lattice.inspect(), await lattice.ensure(), await lattice.inspect()

    missing, created, identical = place.do(both)
    assert (missing.outcome, missing.usable) == (EnsureOutcome.MISSING, False)
    assert (created.outcome, identical.outcome) == (EnsureOutcome.CREATED, EnsureOutcome.IDENTICAL)
    assert created.info.config == identical.info.config


def test_secrets_of_links_are_no_part_of_it(place: Place) -> None:
    place.fill([{**HTTP_LINK, "values": {"PASSWORD": "hunter2"}}])
    for form in ("table", "json", "jsonl"):
        result = place.command("info", "-o", form)
        assert result.code == 0
        assert "hunter2" not in result.out + result.err
