"""Put, get, remove and list, on both backends."""

import asyncio
import json

import attrs
import pytest

from lattice_store import (
    ABSENT,
    Claims,
    ClaimsKey,
    Lattice,
    LinkDefinition,
    LinkKey,
    OciReference,
    OciReferenceKey,
    StreamConfig,
)
from lattice_store._formats import link_id
from lattice_store.errors import (
    CorruptRecordError,
    InvalidArgumentError,
    InvalidRecordError,
    MisplacedRecordError,
    NoRespondersError,
    Outcome,
    RecordNotFoundError,
    RemoveIncompleteError,
    RevisionMismatchError,
    StorageTimeoutError,
    StreamNotFoundError,
    WrongLastSequenceError,
)
from lattice_store.limits import Limits
from lattice_store_sim import SimStorage
from tests.unit.samples import CLAIMS, LINKS, REFERENCES

ECHO = Claims(public_key="MECHO", issuer="A1", name="echo", call_alias="echo")
LINK = LinkDefinition(actor_id="M1", provider_id="V1", contract_id="wasmcloud:keyvalue", values={"URL": "redis://"})
IMAGE = OciReference(oci_url="wasmcloud.azurecr.io/echo:0.3.1", public_key="MECHO")
EACH = [ECHO, LINK, IMAGE]


def changed(record):
    match record:
        case Claims():
            return attrs.evolve(record, name="another")
        case LinkDefinition():
            return attrs.evolve(record, provider_id="V2")
        case OciReference():
            return attrs.evolve(record, public_key="MOTHER")


async def host_puts_link(storage, prefix, id_, *, actor="M1", provider="V1", deleted=False):
    """What a wasmCloud host publishes: a fresh id at every put."""
    value = {"id": id_, "actor_id": actor, "contract_id": "wasmcloud:keyvalue", "link_name": "default"}
    value |= {"provider_id": provider, "values": {}, "deleted": deleted}
    return (await storage.publish(f"lc.{prefix}.linkdefs.{id_}", json.dumps(value).encode())).sequence


async def subjects_of(storage, lattice):
    async with storage.replay(lattice.stream) as replay:
        found = {}
        async for batch in replay.batches():
            found |= {message.subject: json.loads(message.payload) for message in batch.messages}
            if batch.caught_up:
                return found


# -- put and get ------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_what_was_put_is_got_listed_and_rebuilt(lattice, record):
    revision = await lattice.put(record)
    entry = await lattice.get(record.key)
    assert (entry.record, entry.revision) == (record, revision)
    assert await lattice.list(type(record)) == (entry,)
    view = await lattice.rebuild()
    assert view.find(record.key) == entry
    assert view.revision == revision
    assert len(view) == 1


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_what_is_not_there_is_not_found(lattice, record):
    assert await lattice.find(record.key) is None
    with pytest.raises(RecordNotFoundError, match=f"no .* in lattice {lattice.prefix}"):
        await lattice.get(record.key)
    assert await lattice.list(type(record)) == ()
    assert await lattice.remove(record.key) is None


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_a_second_put_replaces(lattice, storage, record):
    first = await lattice.put(record)
    second = await lattice.put(changed(record))
    assert second > first
    assert (await lattice.get(record.key)).record == changed(record)
    assert len(await subjects_of(storage, lattice)) == 1


async def test_records_written_by_hosts_are_read_and_ours_are_theirs(lattice, storage, prefix):
    for value in CLAIMS[:2]:
        await storage.publish(f"lc.{prefix}.claims.{value['sub']}", json.dumps(value).encode())
    for value in LINKS[:2]:
        await storage.publish(f"lc.{prefix}.linkdefs.{value['id']}", json.dumps(value).encode())
    for value, token in REFERENCES:
        await storage.publish(f"lc.{prefix}.refmap.{token}", json.dumps(value).encode())
    view = await lattice.rebuild()
    assert len(view) == 4 + len(REFERENCES)
    assert not view.corrupt
    for entry in view:
        await lattice.put(attrs.evolve(entry.record))
    stored = await subjects_of(storage, lattice)
    assert [stored[f"lc.{prefix}.claims.{value['sub']}"] for value in CLAIMS[:2]] == CLAIMS[:2]
    links = [stored[f"lc.{prefix}.linkdefs.{value['id']}"] for value in LINKS[:2]]
    assert links == [{**value, "deleted": False} for value in LINKS[:2]]
    assert [stored[f"lc.{prefix}.refmap.{token}"] for _, token in REFERENCES] == [value for value, _ in REFERENCES]


async def test_equal_claims_are_not_written_again_so_their_alias_stays_theirs(lattice):
    first = await lattice.put(ECHO)
    await lattice.put(attrs.evolve(ECHO, public_key="MOTHER"))
    assert await lattice.put(ECHO) == first
    view = await lattice.rebuild()
    assert view.find_call_alias("echo").record.key == ECHO.key
    assert view.alias_conflicts()[0].others == (ClaimsKey("MOTHER"),)


async def test_putting_many_again_costs_nobody_an_alias(lattice):
    other = attrs.evolve(ECHO, public_key="MOTHER")
    assert [revision async for revision in lattice.put_many([ECHO, other, LINK])] == [1, 2, 3]
    assert [revision async for revision in lattice.put_many([ECHO, other, LINK])] == [1, 2, 4]
    assert await lattice.put(ECHO, expect=1) == 1
    assert (await lattice.rebuild()).find_call_alias("echo").record == ECHO
    again = [ECHO, changed(ECHO), ECHO]
    assert [revision async for revision in lattice.put_many(again)] == [1, 5, 6], "the third is not what is stored then"
    assert (await lattice.get(ECHO.key)).record == ECHO


async def test_garbage_can_be_removed(lattice, storage, prefix):
    await storage.publish(f"lc.{prefix}.claims.MECHO", b'{"sub":')
    with pytest.raises(CorruptRecordError):
        await lattice.remove(ECHO.key, expect=1)
    assert await lattice.remove(ECHO.key) == 2
    assert await subjects_of(storage, lattice) == {f"lc.{prefix}.claims.MECHO": {"sub": "MECHO", "deleted": True}}
    view = await lattice.rebuild()
    assert not view.corrupt
    assert len(view) == 0


async def test_a_record_that_leaves_no_room_for_the_mark_can_be_removed(storage, prefix):
    lattice = Lattice(storage, prefix, limits=Limits(max_value_bytes=200))
    await lattice.ensure()
    payload = b'{"sub":"MECHO","iss":"A1","name":"%b"}' % (b"x" * 164)
    assert len(payload) == 200
    await storage.publish(f"lc.{prefix}.claims.MECHO", payload)
    await lattice.remove(ECHO.key)
    assert await lattice.find(ECHO.key) is None


async def test_claims_that_only_a_tolerant_reader_takes_can_be_replaced(lattice, storage, prefix):
    await storage.publish(f"lc.{prefix}.claims.MECHO", b'{"sub":"MECHO","name":"x"}')
    assert await lattice.put(ECHO) == 2
    assert (await lattice.get(ECHO.key)).record == ECHO


async def test_claims_put_over_garbage_are_written(lattice, storage, prefix):
    await storage.publish(f"lc.{prefix}.claims.MECHO", b"garbage")
    with pytest.raises(CorruptRecordError, match=r"claims\.MECHO at revision 1: not the JSON"):
        await lattice.get(ECHO.key)
    await lattice.put(ECHO)
    assert (await lattice.get(ECHO.key)).record == ECHO


async def test_a_bad_record_is_refused_before_anything_is_sent(lattice, storage):
    for record in (attrs.evolve(ECHO, public_key="M.>"), attrs.evolve(LINK, provider_id=""), "MECHO", None):
        for expect in (None, ABSENT, 7):
            with pytest.raises(InvalidRecordError):
                await lattice.put(record, expect=expect)
        assert [type(result) async for result in lattice.put_many([record])] == [InvalidRecordError]
    for key in (ClaimsKey("*"), ClaimsKey(">"), "MECHO", ("M1", "c"), None, OciReferenceKey("\ud800")):
        with pytest.raises(InvalidRecordError):
            await lattice.get(key)
        with pytest.raises(InvalidRecordError):
            await lattice.remove(key)
    assert (await storage.stream_info(lattice.stream)).state.last_sequence == 0


@pytest.mark.parametrize("expect", [-1, 1.5, True, "7"])
async def test_a_revision_is_a_whole_number(lattice, expect):
    with pytest.raises(InvalidArgumentError, match="is not a revision"):
        await lattice.put(ECHO, expect=expect)
    with pytest.raises(InvalidArgumentError, match="is not a revision"):
        await lattice.remove(ECHO.key, expect=expect)


# -- compare and set --------------------------------------------------------------------------------


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_a_put_at_the_expected_revision_wins_and_at_another_loses(lattice, record):
    first = await lattice.put(record)
    second = await lattice.put(changed(record), expect=first)
    with pytest.raises(RevisionMismatchError) as caught:
        await lattice.put(record, expect=first)
    assert (caught.value.expected, caught.value.actual) == (first, second)
    assert caught.value.outcome is Outcome.REJECTED
    assert (await lattice.get(record.key)).record == changed(record)


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_create_only(lattice, record):
    first = await lattice.put(record, expect=ABSENT)
    with pytest.raises(RevisionMismatchError) as caught:
        await lattice.put(changed(record), expect=ABSENT)
    assert (caught.value.expected, caught.value.actual) == (ABSENT, first)
    await lattice.remove(record.key)
    again = await lattice.put(changed(record), expect=ABSENT)
    assert (await lattice.get(record.key)).revision == again


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_a_removal_can_be_compared_too(lattice, record):
    first = await lattice.put(record)
    second = await lattice.put(changed(record))
    with pytest.raises(RevisionMismatchError):
        await lattice.remove(record.key, expect=first)
    mark = await lattice.remove(record.key, expect=second)
    assert mark > second
    with pytest.raises(RevisionMismatchError) as caught:
        await lattice.remove(record.key, expect=second)
    assert caught.value.actual == 0
    with pytest.raises(RevisionMismatchError) as caught:
        await lattice.remove(record.key, expect=mark)
    assert caught.value.actual == 0
    assert await lattice.put(record, expect=mark) > mark


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_a_mismatch_with_a_removed_record_says_that_it_is_absent(lattice, record):
    await lattice.put(record)
    await lattice.remove(record.key)
    with pytest.raises(RevisionMismatchError, match="is absent, expected 99") as caught:
        await lattice.put(record, expect=99)
    assert caught.value.actual == 0


@pytest.mark.parametrize("record", EACH, ids=lambda record: record.kind.name)
async def test_of_many_writers_at_one_revision_exactly_one_wins(lattice, storage, prefix, record):
    first = await lattice.put(record)
    writers = [Lattice(storage, prefix) for _ in range(8)]
    results = await asyncio.gather(*(w.put(changed(record), expect=first) for w in writers), return_exceptions=True)
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, RevisionMismatchError) for result in results) == 7


async def test_writers_of_different_links_do_not_defeat_each_other(lattice, storage, prefix):
    links = [attrs.evolve(LINK, actor_id=f"M{n}") for n in range(4)]
    revisions = await asyncio.gather(*(Lattice(storage, prefix).put(link, expect=ABSENT) for link in links))
    assert len(set(revisions)) == 4
    assert len(await lattice.list(LinkDefinition)) == 4


class Interfering(SimStorage):
    """Just before each conditional publish, a foreign host gets in."""

    async def publish(self, subject, payload, *, headers=(), message_id=None, expect=None):
        if expect is not None and self.foreign:
            await self.foreign.pop()(self)
        return await super().publish(subject, payload, expect=expect)


async def test_a_foreign_host_that_adds_a_subject_for_the_triple_makes_the_write_fail():
    storage = Interfering()
    storage.foreign = []
    lattice = Lattice(storage)
    await lattice.ensure()
    first = await lattice.put(LINK)
    storage.foreign = [lambda storage: host_puts_link(storage, "default", "foreign-id", provider="VFOREIGN")]
    with pytest.raises(RevisionMismatchError) as caught:
        await lattice.put(changed(LINK), expect=first)
    assert caught.value.actual == 2
    assert (await lattice.get(LINK.key)).record.provider_id == "VFOREIGN"


async def test_unrelated_links_are_waited_out_but_not_for_ever():
    storage = Interfering()
    storage.foreign = []
    lattice = Lattice(storage)
    await lattice.ensure()
    first = await lattice.put(LINK)
    storage.foreign = [lambda storage: host_puts_link(storage, "default", "x", actor="MX")] * 3
    second = await lattice.put(changed(LINK), expect=first)
    assert second == 5
    storage.foreign = [lambda storage: host_puts_link(storage, "default", "x", actor="MX")] * 99
    with pytest.raises(WrongLastSequenceError):
        await lattice.put(LINK, expect=second)


# -- links with several subjects --------------------------------------------------------------------


async def test_a_new_link_has_a_derived_id_and_an_old_one_keeps_its_subject(lattice, storage, prefix):
    await lattice.put(LINK)
    assert list(await subjects_of(storage, lattice)) == [f"lc.{prefix}.linkdefs.{link_id(LINK.key)}"]
    await host_puts_link(storage, prefix, "older", actor="M9")
    await host_puts_link(storage, prefix, "newer", actor="M9")
    await lattice.put(attrs.evolve(LINK, actor_id="M9", provider_id="V9"))
    stored = await subjects_of(storage, lattice)
    assert stored[f"lc.{prefix}.linkdefs.newer"]["provider_id"] == "V9"
    assert stored[f"lc.{prefix}.linkdefs.newer"]["id"] == "newer"
    assert stored[f"lc.{prefix}.linkdefs.older"]["provider_id"] == "V1"
    assert len(stored) == 3


async def test_removing_a_link_marks_every_subject_of_its_triple(lattice, storage, prefix):
    for id_ in ("a", "b", "c"):
        await host_puts_link(storage, prefix, id_)
    await host_puts_link(storage, prefix, "other", actor="M2")
    entry = await lattice.get(LINK.key)
    assert entry.subjects == tuple(f"lc.{prefix}.linkdefs.{id_}" for id_ in ("c", "b", "a"))
    revision = await lattice.remove(LINK.key)
    assert revision == 5  # the newest is marked first, so the link is invisible from then on
    stored = await subjects_of(storage, lattice)
    assert {subject.rpartition(".")[2]: value["deleted"] for subject, value in stored.items()} == {
        "a": True, "b": True, "c": True, "other": False,
    }  # fmt: skip
    assert await lattice.find(LINK.key) is None
    assert await lattice.find(LinkKey("M2", "wasmcloud:keyvalue")) is not None
    assert await lattice.remove(LINK.key) is None


async def test_a_removal_cut_short_says_what_remains_and_can_be_finished():
    class Failing(SimStorage):
        left = 2

        async def publish(self, subject, payload, *, headers=(), message_id=None, expect=None):
            if b'"deleted":true' in payload:
                self.left -= 1
                if self.left < 0:
                    raise StorageTimeoutError("no ack")
            return await super().publish(subject, payload, expect=expect)

    storage = Failing()
    lattice = Lattice(storage)
    await lattice.ensure()
    for id_ in ("a", "b", "c", "d"):
        await host_puts_link(storage, "default", id_)
    with pytest.raises(RemoveIncompleteError) as caught:
        await lattice.remove(LINK.key)
    assert caught.value.remaining == ("lc.default.linkdefs.b", "lc.default.linkdefs.a")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert isinstance(caught.value.__cause__, StorageTimeoutError)
    assert await lattice.find(LINK.key) is None
    storage.left = 99
    assert await lattice.remove(LINK.key) is not None
    assert all(value["deleted"] for value in (await subjects_of(storage, lattice)).values())
    assert await lattice.remove(LINK.key) is None


async def test_what_a_host_puts_again_during_a_removal_is_left_alone():
    storage = Interfering()
    storage.foreign = []
    lattice = Lattice(storage)
    await lattice.ensure()
    for id_ in ("a", "b"):
        await host_puts_link(storage, "default", id_)
    storage.foreign = [lambda storage: host_puts_link(storage, "default", "a", provider="VNEW")]
    await lattice.remove(LINK.key)
    assert (await lattice.get(LINK.key)).record.provider_id == "VNEW"


async def test_a_removed_record_keeps_its_last_value_and_says_deleted(lattice, storage, prefix):
    await storage.publish(f"lc.{prefix}.claims.M1", b'{"sub":"M1","iss":"A1","future":[1]}')
    await lattice.remove(ClaimsKey("M1"))
    assert await subjects_of(storage, lattice) == {
        f"lc.{prefix}.claims.M1": {"sub": "M1", "iss": "A1", "future": [1], "deleted": True}
    }
    await lattice.put(IMAGE)
    await lattice.remove(IMAGE.key)
    assert await lattice.find(OciReferenceKey(IMAGE.oci_url)) is None


# -- many at once -----------------------------------------------------------------------------------


async def test_many_records_are_put_in_order_and_bad_ones_do_not_stop_the_others(lattice, storage):
    bad = attrs.evolve(ECHO, public_key="M.1")
    records = [bad, ECHO, LINK, bad, changed(LINK), IMAGE, bad]
    results = [result async for result in lattice.put_many(records)]
    assert [result if isinstance(result, int) else type(result) for result in results] == [
        InvalidRecordError, 1, 2, InvalidRecordError, 3, 4, InvalidRecordError,
    ]  # fmt: skip
    assert (await lattice.get(LINK.key)).record == changed(LINK)
    assert len(await subjects_of(storage, lattice)) == 3


async def test_many_links_reuse_their_newest_subjects(lattice, storage, prefix):
    await host_puts_link(storage, prefix, "a")
    assert [result async for result in lattice.put_many([LINK])] == [2]
    assert len(await subjects_of(storage, lattice)) == 1


# -- streams that are not as they should be ---------------------------------------------------------


async def test_without_a_stream_nothing_is_lost_silently(storage, prefix):
    lattice = Lattice(storage, prefix)
    with pytest.raises(NoRespondersError):
        await lattice.put(IMAGE)
    with pytest.raises(StreamNotFoundError):
        await lattice.put(LINK)
    for read in (lattice.rebuild(), lattice.get(ECHO.key), lattice.get(LINK.key), lattice.list(Claims)):
        with pytest.raises(StreamNotFoundError):
            await read


async def test_a_put_taken_by_another_stream_is_an_error(storage, prefix):
    await storage.create_stream(StreamConfig(name=f"other-{prefix}", subjects=[f"lc.{prefix}.>"]))
    await storage.create_stream(StreamConfig(name=f"LATTICECACHE_{prefix}", subjects=[f"unused.{prefix}"]))
    lattice = Lattice(storage, prefix)
    with pytest.raises(MisplacedRecordError, match=f"stored by stream other-{prefix}"):
        await lattice.put(IMAGE)
    assert [type(result) async for result in lattice.put_many([IMAGE])] == [MisplacedRecordError]


async def test_a_stream_that_keeps_old_values_still_rebuilds_right(storage, prefix):
    await storage.create_stream(
        StreamConfig(name=f"LATTICECACHE_{prefix}", subjects=[f"lc.{prefix}.>"], max_msgs_per_subject=7)
    )
    lattice = Lattice(storage, prefix)
    for record in (*EACH, *map(changed, EACH)):
        await lattice.put(record)
    view = await lattice.rebuild()
    assert {entry.record.key: entry.record for entry in view} == {each.key: changed(each) for each in EACH}


async def test_lattices_side_by_side_never_touch_each_other(storage, prefix):
    left, right = Lattice(storage, f"{prefix}-a"), Lattice(storage, f"{prefix}-a-b")
    await left.ensure()
    await right.ensure()
    await left.put(ECHO)
    await right.put(changed(ECHO))
    await left.remove(ECHO.key)
    assert len(await left.rebuild()) == 0
    assert (await right.get(ECHO.key)).record == changed(ECHO)


async def test_a_rebuild_can_be_narrowed_and_tells_its_progress(lattice):
    for record in EACH:
        await lattice.put(record)
    assert {type(entry.record) for entry in await lattice.rebuild(Claims, OciReference)} == {Claims, OciReference}
    seen = []
    await lattice.rebuild(progress=lambda done, pending: seen.append((done, pending)))
    assert seen[-1] == (3, 0)


async def test_garbage_is_counted_and_stops_nothing(lattice, storage, prefix):
    await lattice.put(ECHO)
    await storage.publish(f"lc.{prefix}.linkdefs.x", b'{"actor_id":')
    await storage.publish(f"lc.{prefix}.ocimap.eA", b"{}")
    await storage.publish(f"lc.{prefix}.a.b.c.d", b"")
    await lattice.put(IMAGE)
    view = await lattice.rebuild()
    assert len(view) == 2
    assert len(view.corrupt) == 3


async def test_the_limit_of_values_is_the_one_given(storage, prefix):
    lattice = Lattice(storage, prefix, limits=Limits(max_value_bytes=200))
    await lattice.ensure()
    with pytest.raises(InvalidRecordError, match="at most 200 may be written"):
        await lattice.put(attrs.evolve(ECHO, name="x" * 200))
    await Lattice(storage, prefix).put(attrs.evolve(ECHO, name="x" * 200))
    assert len((await lattice.rebuild()).corrupt) == 1


async def test_repr_names_lattice_and_storage(lattice):
    assert lattice.prefix in repr(lattice)
