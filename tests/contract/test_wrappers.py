"""What the wrappers add to the contract: faults that happen as planned, traces that hide values."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store.errors import (
    InvalidArgumentError,
    LatticeStoreError,
    Outcome,
    ReplayInterruptedError,
    StorageTimeoutError,
    StorageUnavailableError,
    StreamNotFoundError,
    WrongLastSequenceError,
)
from lattice_store.model import Expect, PubAck, Publication, StorageType, StreamConfig
from lattice_store.storage import Storage
from lattice_store.testing import (
    FAULTY_METHODS,
    Delay,
    Fault,
    FaultyStorage,
    ForwardingStorage,
    Interrupt,
    LoseAnswer,
    RecordingStorage,
    Refuse,
)
from lattice_store_sim import SimServer, SimStorage, VirtualClock

CONFIG = StreamConfig(name="S", subjects=("s.>",), storage=StorageType.MEMORY)


async def stream_of(count: int) -> SimStorage:
    storage = SimStorage(SimServer(clock=VirtualClock()))
    await storage.create_stream(CONFIG)
    for number in range(count):
        await storage.publish("s.a", b"%d" % number)
    return storage


async def messages_in(storage: Storage) -> int:
    return (await storage.stream_info("S")).state.messages


async def _sequences(storage: Storage) -> list[int]:
    """Read one replay until it is interrupted; return what was delivered and check what the error says."""
    received: list[int] = []
    with pytest.raises(ReplayInterruptedError) as caught:
        async with storage.replay("S") as replay:
            async for batch in replay.batches():
                received += [message.sequence for message in batch.messages]
                assert replay.pending == batch.pending
                assert replay.caught_up == batch.caught_up
    assert caught.value.last_sequence == (received[-1] if received else 0)
    return received


# -- ForwardingStorage ---------------------------------------------------------------------------


METHODS = sorted(name for name in vars(Storage) if not name.startswith("_"))


@pytest.mark.parametrize("method", METHODS)
def test_forwarding_covers_the_whole_protocol_with_every_option(method: str) -> None:
    assert method in vars(ForwardingStorage)
    assert inspect.signature(getattr(ForwardingStorage, method)) == inspect.signature(getattr(Storage, method))


def test_every_method_but_the_last_can_be_faulty() -> None:
    assert sorted([*FAULTY_METHODS, "aclose"]) == METHODS


# -- FaultyStorage ------------------------------------------------------------------------------


async def test_a_refused_call_does_not_reach_the_storage() -> None:
    inner = await stream_of(0)
    storage = FaultyStorage(inner, [Refuse("publish")])
    with pytest.raises(StorageUnavailableError, match="publish call 1 was refused") as caught:
        await storage.publish("s.a", b"")
    assert caught.value.outcome is Outcome.REJECTED
    assert await messages_in(inner) == 0
    assert await storage.publish("s.a", b"") == PubAck("S", 1)


async def test_a_lost_answer_leaves_its_effect() -> None:
    inner = await stream_of(0)
    storage = FaultyStorage(inner, [LoseAnswer("publish", call=2)])
    await storage.publish("s.a", b"")
    with pytest.raises(StorageTimeoutError, match="the answer to publish call 2 was lost") as caught:
        await storage.publish("s.a", b"")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert await messages_in(inner) == 2


async def test_a_refusal_of_the_server_can_be_lost_too() -> None:
    storage = FaultyStorage(await stream_of(0), [LoseAnswer("publish")])
    with pytest.raises(StorageTimeoutError):
        await storage.publish("s.a", b"", expect=Expect(last_sequence=7))


async def test_bad_input_is_no_answer_to_lose() -> None:
    storage = FaultyStorage(await stream_of(0), [LoseAnswer("publish")])
    with pytest.raises(InvalidArgumentError):
        await storage.publish("not a subject", b"")


async def test_a_delay_waits_by_the_given_clock() -> None:
    clock = VirtualClock()
    inner = await stream_of(0)
    storage = FaultyStorage(inner, [Delay("publish", duration_ns=2_000_000_000)], clock=clock)
    task = asyncio.create_task(storage.publish("s.a", b""))
    for advanced in (1.0, 0.999):
        await asyncio.sleep(0)
        clock.advance(advanced)
        await asyncio.sleep(0)
        assert await messages_in(inner) == 0
    clock.advance(0.001)
    assert await task == PubAck("S", 1)


@pytest.mark.parametrize("method", [method for method in FAULTY_METHODS if method not in ("publish_many", "replay")])
async def test_every_method_can_fail(method: str) -> None:
    arguments = {
        "create_stream": (CONFIG,),
        "update_stream": (CONFIG,),
        "list_streams": (),
        "publish": ("s.a", b""),
        "get_message": ("S", 1),
        "get_last_message": ("S", "s.a"),
        "count_subjects": ("S",),
        "delete_message": ("S", 1),
    }.get(method, ("S",))
    storage = FaultyStorage(await stream_of(3), [Refuse(method), LoseAnswer(method, call=2)])
    call = getattr(storage, method)
    with pytest.raises(StorageUnavailableError):
        await call(*arguments)
    with pytest.raises(StorageTimeoutError):
        await call(*arguments)
    if method in ("delete_stream", "delete_message"):  # the second call was done, though its answer was lost
        with pytest.raises(LatticeStoreError, match="not found"):
            await call(*arguments)
    else:
        await call(*arguments)


async def test_a_replay_can_be_refused_or_lost_when_opened() -> None:
    inner = await stream_of(1)
    storage = FaultyStorage(inner, [Refuse("replay"), LoseAnswer("replay", call=2)])
    for error in (StorageUnavailableError, StorageTimeoutError):
        with pytest.raises(error):
            async with storage.replay("S"):
                pytest.fail("entered")
    assert (await inner.stream_info("S")).state.consumer_count == 0


@pytest.mark.parametrize("after", range(6))
async def test_a_replay_is_interrupted_where_planned(after: int) -> None:
    storage = FaultyStorage(await stream_of(5), [Interrupt(after=after)])
    assert await _sequences(storage) == list(range(1, after + 1))
    async with storage.replay("S") as replay:  # only the first replay was meant
        assert replay.pending == 5


@given(
    faults=st.lists(
        st.builds(Refuse, st.just("publish_many"), call=st.integers(1, 8))
        | st.builds(LoseAnswer, st.just("publish_many"), call=st.integers(1, 8)),
        max_size=5,
    ),
    window=st.integers(1, 4),
)
def test_many_publications_fail_one_by_one(faults: list[Fault], window: int) -> None:
    refused = {fault.call for fault in faults if isinstance(fault, Refuse)}
    lost = {fault.call for fault in faults if isinstance(fault, LoseAnswer)} - refused
    publications = [Publication(subject="s.a", payload=b"%d" % number) for number in range(1, 8)]

    async def run() -> tuple[list[object], list[bytes]]:
        inner = await stream_of(0)
        results = [each async for each in FaultyStorage(inner, faults).publish_many(publications, window=window)]
        stored = [(await inner.get_message("S", n)).payload for n in range(1, await messages_in(inner) + 1)]
        return [each if isinstance(each, PubAck) else type(each) for each in results], stored

    results, stored = asyncio.run(run())
    kept = [number for number in range(1, 8) if number not in refused]
    assert stored == [b"%d" % number for number in kept]
    for number, result in enumerate(results, start=1):
        if number in refused:
            assert result is StorageUnavailableError
        elif number in lost:
            assert result is StorageTimeoutError
        else:
            assert result == PubAck("S", kept.index(number) + 1)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Refuse("subscribe"), "no fault can be for 'subscribe'"),
        (lambda: LoseAnswer("publish", call=0), "call=0 is below 1"),
        (lambda: Delay("publish", duration_ns=-1), "duration_ns=-1 is below 0"),
        (lambda: Interrupt(after=-1), "after=-1 is below 0"),
    ],
)
def test_an_impossible_fault_is_refused(make, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        make()


def test_wrappers_show_what_they_wrap() -> None:
    assert repr(RecordingStorage(FaultyStorage(_Named(), [Refuse("purge")]))) == (
        "RecordingStorage(FaultyStorage([Refuse(method='purge', call=1)], a storage))"
    )


class _Named(SimStorage):
    def __repr__(self) -> str:
        return "a storage"


# -- RecordingStorage ---------------------------------------------------------------------------


async def test_a_trace_tells_the_story() -> None:
    storage = RecordingStorage(SimStorage(SimServer(clock=VirtualClock())))
    await storage.create_stream(CONFIG)
    await storage.publish("s.a", b"12345", headers={"Authorization": "secret"}, message_id="id")
    await storage.publish("s.a", b"", message_id="id", expect=Expect(stream="S"))
    with pytest.raises(WrongLastSequenceError):
        await storage.publish("s.b", b"x", expect=Expect(last_sequence=7))
    await storage.get_last_message("S", "s.*")
    async with storage.replay("S", subjects=["s.a"]) as replay:
        await anext(replay.batches())
    assert await storage.purge("S", keep=1) == 0
    await storage.list_streams()
    await storage.delete_message("S", 1)
    with pytest.raises(StreamNotFoundError):
        await storage.stream_info("T")
    await storage.aclose()
    assert str(storage).splitlines() == [
        "create_stream(S on s.>) -> S: 0 messages up to 0",
        "publish(s.a, <5 bytes>, headers=['Authorization'], message_id='id') -> 1 in S",
        "publish(s.a, <0 bytes>, message_id='id', expect={'stream': 'S'}) -> 1 in S, duplicate",
        "publish(s.b, <1 bytes>, expect={'last_sequence': 7}) -> WrongLastSequenceError, REJECTED: wrong last sequence: 1 (400/10071)",
        "get_last_message(S, s.*) -> 1 on s.a, <5 bytes>",
        "replay(S, s.a, DeliverAll()) -> 1 pending",
        "batch(S) -> 1 messages up to 1, 0 pending, caught up",
        "purge(S, keep=1) -> 0",
        "list_streams() -> ('S',)",
        "delete_message(S, 1) -> done",
        "stream_info(T) -> StreamNotFoundError, REJECTED: stream not found (404/10059)",
        "aclose() -> done",
    ]


async def test_a_trace_of_many_publications_has_one_line_each() -> None:
    storage = RecordingStorage(await stream_of(0))
    publications = [Publication(subject=f"s.{rest}", payload=b"x") for rest in "abc"]
    results = [result async for result in storage.publish_many(publications)]
    assert len(results) == 3
    assert [str(call) for call in storage.calls] == [
        "publish_many(s.a, <1 bytes>) -> 1 in S",
        "publish_many(s.b, <1 bytes>) -> 2 in S",
        "publish_many(s.c, <1 bytes>) -> 3 in S",
    ]


async def test_a_trace_notes_interruptions_and_cancellations() -> None:
    storage = RecordingStorage(
        FaultyStorage(await stream_of(1), [Interrupt(after=1), Delay("purge", duration_ns=10**18)])
    )
    assert await _sequences(storage) == [1]
    task = asyncio.create_task(storage.purge("S"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert [str(call) for call in storage.calls[1:]] == [
        "batch(S) -> 1 messages up to 1, 0 pending, caught up",
        "batch(S) -> ReplayInterruptedError, REJECTED: replay of S interrupted after sequence 1: stream went back",
        "purge(S) -> CancelledError",
    ]
