"""Rebuilding equals the fold of the history, on both backends, whoever wrote it.

Three writers share a lattice: one with a view attached, one without, and a foreign host that publishes by
hand, with ids of its own and now and then garbage. Whatever they did, a rebuild, the view that was
attached all the time, and a watch's events replayed must all say what the history says.
"""

import asyncio
import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_store import (
    ABSENT,
    Claims,
    ClaimsKey,
    Lattice,
    LinkDefinition,
    OciReference,
    RecordPut,
    RecordRemoved,
    nats,
)
from lattice_store._formats import StreamFormat
from lattice_store._view import GrowingView
from lattice_store.errors import RevisionMismatchError
from lattice_store.headers import NO_HEADERS
from lattice_store.model import Message
from lattice_store_sim import SimStorage
from tests.lattice.conftest import LIMITS, _numbers

claims = st.builds(
    Claims,
    public_key=st.sampled_from(["M1", "M2"]),
    issuer=st.just("A1"),
    call_alias=st.sampled_from(["", "echo", "ping"]),
)
links = st.builds(
    LinkDefinition,
    actor_id=st.sampled_from(["M1", "M2"]),
    provider_id=st.sampled_from(["V1", "V2"]),
    contract_id=st.just("wasmcloud:keyvalue"),
)
references = st.builds(
    OciReference, oci_url=st.sampled_from(["M1", "r/ping:2"]), public_key=st.sampled_from(["M1", "M2"])
)
records = claims | links | references
foreign_subjects = st.sampled_from(["linkdefs.a", "linkdefs.b", "claims.M1", "refmap.eA", "ocimap.eA"])


LAST = Claims(public_key="MLAST", issuer="A1")


@attrs.frozen
class Put:
    writer: int
    record: Claims | LinkDefinition | OciReference
    expect: str  # "anything", "absent", "current" or "stale"


@attrs.frozen
class Remove:
    writer: int
    record: Claims | LinkDefinition | OciReference


@attrs.frozen
class Foreign:
    subject: str
    payload: bytes


def link_by_hand(id_: str, actor: str, provider: str, deleted: bool) -> Foreign:
    value = {"id": id_, "actor_id": actor, "provider_id": provider, "contract_id": "wasmcloud:keyvalue"}
    value |= {"link_name": "default", "values": {}, "deleted": deleted}
    return Foreign(f"linkdefs.{id_}", json.dumps(value).encode())


steps = st.lists(
    st.builds(Put, st.integers(0, 1), records, st.sampled_from(["anything", "absent", "current", "stale"]))
    | st.builds(Remove, st.integers(0, 1), records)
    | st.builds(
        link_by_hand, st.sampled_from("abc"), st.sampled_from(["M1", "M2"]), st.sampled_from(["V1", "V2"]),
        st.booleans(),
    )
    | st.builds(Foreign, foreign_subjects, st.sampled_from([b"", b"{", b'{"sub":"M1","iss":"A2"}'])),
    max_size=20,
)  # fmt: skip


def recording(storage):
    """Have *storage* note down what it stored: the history to fold."""
    history, publish = [], storage.publish

    async def noting(subject, payload, **options):
        ack = await publish(subject, payload, **options)
        history.append(Message(subject, ack.sequence, 0, NO_HEADERS, payload))
        return ack

    storage.publish = noting
    return history


def state(view):
    found = {entry.record.key: (entry.revision, entry.record, entry.subjects) for entry in view}
    return found, {subject: corrupt.error.revision for subject, corrupt in view.corrupt.items()}


async def play(storage, prefix, taken):
    history = recording(storage)
    first, second = Lattice(storage, prefix, limits=LIMITS), Lattice(storage, prefix, limits=LIMITS)
    await first.ensure()
    async with first.attach() as live, second.watch() as watch:
        for step in taken:
            await play_step(storage, prefix, (first, second), step)
        await first.put(LAST)
        expected = GrowingView(StreamFormat(prefix))
        for message in history:
            expected.apply(message)
        assert state(await second.rebuild()) == state(expected)
        async with asyncio.timeout(10):
            await live.wait_for(history[-1].sequence)
            assert state(live.view) == state(expected)
            assert await replayed(watch) == {entry.record.key: entry.record for entry in expected}
        for key in {step.record.key for step in taken if not isinstance(step, Foreign)}:
            if not corrupt_at(expected, key):
                assert await first.find(key) == await second.find(key) == expected.find(key)


async def replayed(watch):
    """Apply a watch's events until the last record of the history has been put."""
    found = {}
    async for event in watch:
        if isinstance(event, RecordPut):
            found[event.entry.record.key] = event.entry.record
            if event.entry.record == LAST:
                return found
        elif isinstance(event, RecordRemoved):
            del found[event.key]


def corrupt_at(view, key):
    return isinstance(key, ClaimsKey) and f"lc.{view.prefix}.claims.{key.public_key}" in view.corrupt


async def play_step(storage, prefix, writers, step):
    if isinstance(step, Foreign):
        await storage.publish(f"lc.{prefix}.{step.subject}", step.payload)
        return
    lattice = writers[step.writer]
    key = step.record.key
    if isinstance(step, Remove):
        view = await lattice.rebuild()
        if not corrupt_at(view, key):
            mark = await lattice.remove(key)
            assert mark is not None or view.find(key) is None
            assert await lattice.find(key) is None or mark is None  # what others did may reach the live view late
        return
    current = (await lattice.rebuild()).find(key)
    revision = current.revision if current else 0
    expect = {"anything": None, "absent": ABSENT, "current": revision, "stale": revision + 1000}[step.expect]
    if expect is None or expect == revision:
        stored = await lattice.put(step.record, expect=expect)
        assert stored > revision or (
            stored == revision and step.record == current.record and isinstance(step.record, Claims)
        )
    else:
        with pytest.raises(RevisionMismatchError) as caught:
            await lattice.put(step.record, expect=expect)
        assert caught.value.actual == revision


def run(coroutine):
    with asyncio.Runner() as runner:
        runner.run(coroutine)


@settings(deadline=None, max_examples=100)
@given(steps)
def test_on_the_simulator(taken):
    run(play(SimStorage(), "default", taken))


@pytest.mark.nats
@settings(deadline=None, max_examples=40)
@given(steps)
def test_on_a_real_server(nats_server, taken):
    async def main():
        async with await nats.connect(nats_server.url, limits=LIMITS) as storage:
            prefix = f"history-{next(_numbers)}"
            try:
                await play(storage, prefix, taken)
            finally:
                await storage.delete_stream(f"LATTICECACHE_{prefix}")

    run(main())
