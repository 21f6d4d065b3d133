"""``bench``: that it measures what it says, counts right and leaves nothing behind. Never how long anything takes."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lattice_store import Claims, LinkDefinition, OciReference
from lattice_store._formats import StreamFormat
from lattice_store.cli._bench._data import Records
from lattice_store.cli._bench._run import Runs, in_turns
from lattice_store.cli._bench._suites import PUBLISH, REBUILD, SIM, missing
from lattice_store.cli._bench._task import FOREIGN, PLACES, MeasurementError, Task
from lattice_store.cli._exit import ExitCode
from lattice_store.errors import InvalidArgumentError
from lattice_store.nats import LocalServer, connect
from tests.cli.harness import command

ROOT = Path(__file__).parents[2]
FIELDS = {"path", "keys", "runs", "median_s", "min_s", "max_s", "per_s", "cpu_s", "rss_mb", "partial"}
RATIOS = {
    "rebuild": {"times_watchall", "times_watchall_cpu", "share_of_drain"},
    "publish": {"times_js_publish", "times_js_publish_async"},
    "sim": {"times_fakeredis", "times_py_key_value"},
}
FEW = ("--keys", "120", "--runs", "1", "-o", "jsonl")


def measured(*arguments: str) -> tuple[dict, dict[str, dict]]:
    """Run a benchmark; return the first object, and the rows by path."""
    done = command("bench", *arguments)
    assert done.code == 0, done.err
    head, *rows = done.jsonl
    return head, {row["path"]: row for row in rows}


def expected(paths: tuple[str, ...]) -> set[str]:
    return set(paths) - set(missing(paths))


# -- the records ------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [130, 200, 292, 1000, 4000])
def test_records_are_what_hosts_write_and_of_the_size_that_was_asked_for(payload: int) -> None:
    publications = list(Records("default", 1000, payload))
    format_ = StreamFormat("default")
    for each in publications:
        record = format_.decode(each.subject, each.payload)
        assert format_.encode(record, each.subject) == each.payload
    assert len({each.subject for each in publications}) == 1000
    assert sum(len(each.payload) for each in publications) / 1000 == pytest.approx(payload, rel=0.01)


def test_half_are_links_three_in_ten_claims_the_rest_references() -> None:
    format_ = StreamFormat("default")
    kinds = [type(format_.decode(each.subject, each.payload)) for each in Records("default", 1000)]
    assert [kinds.count(kind) for kind in (LinkDefinition, Claims, OciReference)] == [500, 300, 200]


@pytest.mark.parametrize("payload", [130, 292, 1000])
def test_a_change_gives_one_record_in_a_hundred_another_value_of_the_same_size(payload: int) -> None:
    records = Records("default", 1000, payload)
    before = {each.subject: each.payload for each in records}
    changed = list(records.changed(1))
    assert len(changed) == 10
    for each in changed:
        assert each.payload != before[each.subject]
        assert len(each.payload) == len(before[each.subject])


@pytest.mark.parametrize("payload", [130, 292])
def test_the_link_and_the_alias_that_are_asked_for_are_there(payload: int) -> None:
    records = Records("default", 10, payload)
    link, claims = (StreamFormat("default").decode(*_pair(records.publication(number))) for number in (0, 1))
    assert link.key == records.some_link
    assert claims.call_alias == records.some_alias


def _pair(publication) -> tuple[str, bytes]:
    return publication.subject, publication.payload


@pytest.mark.parametrize("payload", [0, 129, 1 << 20])
def test_sizes_that_cannot_be(payload: int) -> None:
    with pytest.raises(InvalidArgumentError, match="--payload"):
        Records("default", 10, payload)


# -- the measuring ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.nats
def test_rebuild() -> None:
    head, rows = measured("rebuild", *FEW)
    assert (
        head["settings"] | {"keys": 120, "gc": "on", "loop": "asyncio", "storage": "memory", "tls": False}
        == (head["settings"])
    )
    assert {"python", "nats-py", "msgspec", "nats-server"} <= set(head["versions"])
    assert {"processor", "cores", "system"} <= set(head["machine"])
    assert set(rows) == expected(REBUILD)
    for row in rows.values():
        assert FIELDS | RATIOS["rebuild"] <= set(row)
        assert (row["keys"], row["runs"]) == (120, 1)
        assert 0 < row["min_s"] <= row["median_s"] <= row["max_s"]
        assert row["cpu_s"] >= 0
        assert row["rss_mb"] > 1
    assert rows["watchall"]["times_watchall"] == rows["drain"]["share_of_drain"] == 1
    assert rows["warm"]["received_bytes"] < rows["cold"]["received_bytes"]
    assert rows["warm"]["share_of_cold_bytes"] < 1


@pytest.mark.slow
@pytest.mark.nats
def test_rebuild_under_other_circumstances() -> None:
    head, rows = measured(
        *("rebuild", *FEW, "--only", "cold", "warm", "drain", "--storage", "file", "--writers", "1", "--no-gc"),
        *("--payload", "1000"),
    )
    assert set(rows) == {"cold", "drain"}, "a warm start goes on cold beside a writer"
    settings = head["settings"]
    assert (settings["storage"], settings["writers"], settings["gc"]) == ("file", 1, "off")
    assert settings["updates_per_s"] > 0
    assert rows["cold"]["times_watchall"] is None


@pytest.mark.slow
@pytest.mark.nats
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_rebuild_over_tls() -> None:
    head, rows = measured("rebuild", *FEW, "--only", "cold", "ordered", "drain", "--tls")
    assert head["settings"]["tls"] is True
    assert set(rows) == {"cold", "ordered", "drain"}


@pytest.mark.slow
@pytest.mark.nats
def test_on_a_given_server_other_lattices_are_left_alone_and_nothing_stays_behind() -> None:
    with LocalServer("authorization { user: joe, password: s3cret }") as server:
        there = ("--url", server.url, "--user", "joe", "--password", "s3cret")
        assert command("put", *there, "--create", '{"sub":"M1","iss":"A"}').code == 0
        _, rows = measured("rebuild", *FEW, "--only", "cold", "drain", *there)
        assert set(rows) == {"cold", "drain"}, "a warm start goes on cold beside a writer"
        measured("publish", *FEW, "--only", "publish-many", *there)
        assert command("ls", *there, "-o", "jsonl").json["revision"] == 1
        assert asyncio.run(_streams(server)) == ("LATTICECACHE_default",)
        refused = command("bench", "rebuild", *FEW, "--url", server.url, "--user", "joe", "--password", "wrong")
        assert refused.code == ExitCode.PERMISSION
        assert "wrong" not in refused.err


async def _streams(server: LocalServer) -> tuple[str, ...]:
    async with await connect(server.url, user="joe", password="s3cret") as storage:
        return await storage.list_streams()


@pytest.mark.slow
@pytest.mark.nats
def test_publish() -> None:
    _, rows = measured("publish", *FEW)
    assert set(rows) == set(PUBLISH)
    for path, row in rows.items():
        assert FIELDS | RATIOS["publish"] <= set(row)
        assert row["keys"] == (12 if path in ("publish", "js-publish") else 120)


@pytest.mark.slow
def test_sim() -> None:
    head, rows = measured("sim", *FEW)
    assert "nats-server" not in head["versions"]
    assert set(rows) == expected(SIM)
    for row in rows.values():
        assert FIELDS | RATIOS["sim"] <= set(row)


@pytest.mark.slow
def test_a_table_for_people() -> None:
    done = command("bench", "sim", "--keys", "50", "--runs", "2", "--only", "sim-publish", "sim-cold")
    assert done.code == 0
    assert [line.split()[0] for line in done.lines if line.startswith("sim-")] == ["sim-publish", "sim-cold"]
    (header,) = [line for line in done.lines if line.startswith("PATH")]
    assert header.split() == ["PATH", "MEDIAN", "RANGE", "RECORDS/S", "CPU", "MEMORY", "FAKEREDIS", "PY-KEY-VALUE"]
    assert any(re.match(r"python \d", line) for line in done.lines)
    assert "\x1b" not in done.out
    assert "…" not in done.out


@pytest.mark.slow
def test_a_terminal_sees_what_is_measured_at_the_moment() -> None:
    arguments = ("bench", "sim", "--keys", "50", "--runs", "2", "--only", "sim-cold", "-o", "jsonl")
    assert "sim-cold, run 2" in command(*arguments, errors_to_terminal=True).err
    assert command(*arguments).err == ""


def test_what_cannot_be_measured() -> None:
    for arguments in (("--keys", "9"), ("--runs", "0"), ("--payload", "12"), ("--only", "warp")):
        assert command("bench", "sim", *arguments).code == ExitCode.USAGE
    assert command("bench", "rebuild", "--tls", "--url", "nats://127.0.0.1:1").code == ExitCode.USAGE
    assert command("bench", "rebuild", "--url", "nats://127.0.0.1:1").code == ExitCode.CONNECTION
    if find_spec("uvloop") is None:
        assert "pip install uvloop" in command("bench", "sim", "--uvloop").complaint


def test_bench_alone_says_what_there_is() -> None:
    done = command("bench")
    assert done.code == 0
    assert all(f" {verb} " in done.out for verb in ("rebuild", "publish", "sim"))


# -- what goes wrong --------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_path_of_our_own_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(MeasurementError, match="cold failed: AssertionError"):
        await in_turns({"cold": Task(path="cold", keys=10)}, 1, lambda *_: None)


@pytest.mark.slow
async def test_a_path_of_another_library_that_fails_is_given_up() -> None:
    found = await in_turns({"watchall": Task(path="watchall", keys=10)}, 2, lambda *_: None)
    assert found == {"watchall": Runs([], 0, "watchall failed: AssertionError: watchall needs a server")}


def test_every_path_has_its_place() -> None:
    assert {*REBUILD, *PUBLISH, *SIM, *FOREIGN} <= set(PLACES)


# -- all of it --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.nats
def test_make_bench_in_small(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks", "--quick", "--out", tmp_path, "--only", "rebuild", "sim"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for step in ("rebuild", "sim"):
        head, *rows = map(json.loads, (tmp_path / f"{step}.jsonl").read_text().splitlines())
        assert head["settings"]["keys"] == 200
        assert rows
    page = (tmp_path / "README.md").read_text()
    assert "| `cold` against watchall | ≥ 8.00 × |" in page
    assert "| `publish-many` | ≥ 100,000/s | - | not measured |" in page
    if find_spec("matplotlib") is not None:
        assert {path.name for path in tmp_path.glob("*.svg")} == {"rebuild-peers.svg", "sim-peers.svg"}
