import pytest

from lattice_store.errors import NoRespondersError, StreamNotFoundError
from lattice_store.headers import NO_HEADERS
from lattice_store.model import DELIVER_ALL, PubAck, StorageType
from lattice_store_sim._core import _routes
from lattice_store_sim._core._server import SimCore
from tests.unit.sim.helpers import SECOND, Bench, config, core_config

# -- time --------------------------------------------------------------------------------------------


def test_an_earlier_time_is_taken_for_the_latest():
    bench = Bench.with_stream()
    bench.now_ns = 10 * SECOND
    bench.publish("a")
    bench.now_ns = 5 * SECOND
    bench.publish("a")
    assert bench("get_message", "S", 2).time_ns == 10 * SECOND
    assert bench.core.now_ns == 10 * SECOND


def test_the_time_of_one_stream_passes_in_all():
    bench = Bench()
    for name in ("S", "T"):
        bench("create_stream", config(name=name, subjects=[f"{name.lower()}.>"], max_age_ns=2 * SECOND))
    bench("publish", "t.a", b"")
    bench.now_ns += 2 * SECOND
    bench.publish("a")
    bench.now_ns = 0
    assert bench("stream_info", "T").state.messages == 0


# -- routes ------------------------------------------------------------------------------------------


def test_a_subject_of_no_stream_has_no_responders():
    bench = Bench.with_stream()
    with pytest.raises(NoRespondersError, match=r"^no stream is bound to t\.a$"):
        bench("publish", "t.a", b"")


def test_each_subject_goes_to_its_own_stream_and_routes_follow_changes():
    bench = Bench.with_stream()
    bench("create_stream", config(name="T", subjects=["t.*"]))
    assert bench("publish", "s.a", b"") == PubAck("S", 1)
    assert bench("publish", "t.a", b"") == PubAck("T", 1)
    bench("update_stream", config(name="T", subjects=["u.*"]))
    with pytest.raises(NoRespondersError):
        bench("publish", "t.a", b"")
    bench("delete_stream", "S")
    with pytest.raises(NoRespondersError):
        bench("publish", "s.a", b"")
    bench("create_stream", config(name="V", subjects=["s.a"]))
    assert bench("publish", "s.a", b"") == PubAck("V", 1)


def test_the_memory_of_routes_is_bounded(monkeypatch):
    monkeypatch.setattr(_routes, "_KNOWN_KEPT", 3)
    bench = Bench.with_stream().fill("abcdefg")
    assert len(bench.core._routes) == 1
    assert bench.state == (7, 1, 7, 0)


def test_a_stream_without_acks_never_answers_and_still_stores_or_refuses():
    bench = Bench.with_stream(no_ack=True, max_msg_size=3)
    assert bench("publish", "s.a", b"x") is None
    assert bench("publish", "s.a", b"xxxx") is None
    assert bench.state == (1, 1, 1, 0)


# -- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("stream_info", ()),
        ("delete_stream", ()),
        ("get_message", (1,)),
        ("get_last_message", ("s.a",)),
        ("delete_message", (1,)),
        ("purge", ()),
        ("open_cursor", ((), DELIVER_ALL)),
    ],
)
def test_a_missing_stream_is_named_by_every_verb(verb, arguments):
    bench = Bench()
    assert bench.refusal(verb, "S", *arguments) == (404, 10059, "stream not found")
    with pytest.raises(StreamNotFoundError):
        bench(verb, "S", *arguments)


def test_streams_are_listed_by_name_and_by_overlapping_subject():
    bench = Bench()
    assert bench.core.list_streams() == ()
    for name in "CAB":
        bench("create_stream", config(name=name, subjects=[f"lc.{name}.>", name]))
    assert bench.core.list_streams() == ("A", "B", "C")
    assert bench.core.list_streams("lc.*.x") == ("A", "B", "C")
    assert bench.core.list_streams("lc.B.>") == ("B",)
    assert bench.core.list_streams("nowhere") == ()


def test_a_stream_re_created_in_the_same_instant_is_another_one():
    bench = Bench.with_stream().fill("a")
    first = bench("stream_info", "S").created_ns
    bench("delete_stream", "S")
    again = bench("create_stream", config())
    assert again.created_ns == first + 1
    assert again.state.last_sequence == 0


def test_a_re_created_stream_remembers_no_message_id():
    bench = Bench.with_stream()
    bench.publish("a", b"", ("Nats-Msg-Id", "one"))
    bench("delete_stream", "S")
    bench("create_stream", config())
    assert bench.publish("a", b"", ("Nats-Msg-Id", "one")) == PubAck("S", 1)


# -- removal -----------------------------------------------------------------------------------------


def missing(sequence):
    return 400, 10043, f"sequence {sequence} not found"


@pytest.mark.parametrize(
    ("storage", "below", "above"),
    [
        (StorageType.MEMORY, missing(1), missing(6)),
        (StorageType.FILE, (500, 10057, "no message found"), (500, 10057, "stream store EOF")),
    ],
)
def test_how_a_missing_message_is_refused_depends_on_the_storage_and_the_place(storage, below, above):
    bench = Bench.with_stream(storage=storage).fill("aaaaa")
    bench("delete_message", "S", 1)
    bench("delete_message", "S", 3)
    assert bench.refusal("delete_message", "S", 3) == missing(3)
    assert bench.refusal("delete_message", "S", 1) == below
    assert bench.refusal("delete_message", "S", 6) == above
    assert bench.refusal("get_message", "S", 3) == (404, 10037, "no message found")


def test_deletes_and_purges_can_be_denied():
    bench = Bench.with_stream(deny_delete=True, deny_purge=True).fill("a")
    assert bench.refusal("delete_message", "S", 1) == (500, 10057, "message delete not permitted")
    assert bench.refusal("purge", "S") == (500, 10110, "stream purge not permitted")


# -- restart and forks -------------------------------------------------------------------------------


def test_a_restart_loses_memory_streams_and_keeps_file_streams():
    bench = Bench.with_stream().fill("a")
    bench("create_stream", config(name="F", subjects=["f.>"], storage=StorageType.FILE))
    bench("publish", "f.a", b"x")
    bench("publish", "f.a", b"y")
    bench("delete_message", "F", 2)
    before = bench("stream_info", "F")
    bench("restart")
    assert bench.core.list_streams() == ("F",)
    assert bench("stream_info", "F") == before
    with pytest.raises(NoRespondersError):
        bench.publish("a")


def test_the_same_verbs_give_the_same_state():
    def run():
        core = SimCore()
        core.create_stream(core_config(max_msgs_per_subject=2), now_ns=1)
        for number in range(50):
            core.publish(f"s.{number % 7}", b"x", NO_HEADERS, now_ns=number)
        return core.stream_info("S", now_ns=60), core.streams["S"].log.messages

    assert run() == run()
