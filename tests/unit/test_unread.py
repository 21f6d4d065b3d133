"""When a value is decoded makes no difference: a lazy view answers as an eager one, whatever is asked first."""

from hypothesis import given
from hypothesis import strategies as st

from lattice_store._records import ClaimsKey, Kind, LinkKey, OciReferenceKey
from lattice_store._snapshot import Identity, Snapshot, encode
from lattice_store._unread import Unread
from lattice_store._view import GrowingView, LatticeView
from lattice_store.headers import NO_HEADERS, Headers
from lattice_store.model import Batch, Message
from tests.unit.test_view import FORMAT, claims, histories, link, reference, state

KEYS = [
    ClaimsKey("M1"),
    ClaimsKey("M9"),
    ClaimsKey("a b"),
    LinkKey("M1", "c"),
    LinkKey("M2", "c"),
    OciReferenceKey("M1"),
]
QUESTIONS = {
    "claims": lambda view: dict(view.claims),
    "links": lambda view: dict(view.links),
    "references": lambda view: dict(view.oci_references),
    "corrupt": lambda view: {subject: held.message for subject, held in view.corrupt.items()},
    "length": len,
    "alias": lambda view: view.find_call_alias("echo"),
    "conflicts": lambda view: view.alias_conflicts(),
    "of a kind": lambda view: sorted(entry.revision for entry in view.of_kind(Kind.LINK)),
    "all": lambda view: {entry.record.key: entry for entry in view},
    **{f"find {key}": (lambda view, key=key: view.find(key)) for key in KEYS},
    **{f"held by {key}": (lambda view, key=key: view.held_by(key)) for key in KEYS},
}
questions = st.lists(st.sampled_from(sorted(QUESTIONS)), max_size=6)


def last_of_each(messages: list[Message]) -> list[Message]:
    last = {message.subject: message for message in messages}
    return sorted(last.values(), key=lambda message: message.sequence)


def absorbed(messages: list[Message], *, eager: bool, cut: int = 0, snapshot: Snapshot | None = None) -> LatticeView:
    view = GrowingView(FORMAT, eager=eager, snapshot=snapshot)
    for part in (messages[:cut], messages[cut:]):
        sequence = part[-1].sequence if part else 0
        view.absorb(Batch(messages=part, sequence=sequence, pending=0, caught_up=True))
    return view


def snapshot_of(messages: list[Message]) -> Snapshot:
    sequence = messages[-1].sequence if messages else 0
    identity = Identity(prefix="default", stream=FORMAT.stream, created_ns=1, sequence=sequence)
    return Snapshot(b"".join(encode(identity, messages)))


@given(histories, questions, st.integers(0, 25))
def test_what_is_asked_first_makes_no_difference(messages, asked, cut):
    last = last_of_each(messages)
    lazy, eager = absorbed(last, eager=False, cut=cut), absorbed(last, eager=True, cut=cut)
    for question in asked:
        assert QUESTIONS[question](lazy) == QUESTIONS[question](eager)
    assert state(lazy) == state(eager)


@given(histories, questions, st.integers(0, 25))
def test_beginning_with_a_snapshot_makes_no_difference(messages, asked, cut):
    before, after = last_of_each(messages[:cut]), last_of_each(messages[cut:])
    warm, eager = (
        absorbed(after, eager=False, snapshot=snapshot_of(before)),
        absorbed(last_of_each(messages), eager=True),
    )
    assert warm.subject_count == len({message.subject for message in messages})
    for question in asked:
        assert QUESTIONS[question](warm) == QUESTIONS[question](eager)
    assert state(warm) == state(eager)
    assert warm.revision == eager.revision


@given(histories, histories, questions)
def test_what_comes_after_a_look_is_seen_too(messages, later, asked):
    """A view is followed after it was rebuilt, and may have been looked at in between."""
    moved = [Message(m.subject, m.sequence + len(messages), m.time_ns, m.headers, m.payload) for m in later]
    lazy, eager = absorbed(last_of_each(messages), eager=False), absorbed(last_of_each(messages), eager=True)
    for question in asked:
        QUESTIONS[question](lazy)
    batch = Batch(messages=moved, sequence=len(messages) + len(later), pending=0, caught_up=True)
    assert list(map(str, lazy.apply_batch(batch))) == list(map(str, eager.apply_batch(batch)))
    assert state(lazy) == state(eager)


@given(histories, st.data())
def test_a_batch_that_came_before_changes_nothing(messages, data):
    last = last_of_each(messages)
    again = data.draw(st.lists(st.sampled_from(last), unique_by=lambda message: message.sequence)) if last else []
    again.sort(key=lambda message: message.sequence)
    lazy = absorbed(last, eager=False)
    lazy.absorb(Batch(messages=again, sequence=0, pending=0, caught_up=True))
    assert state(lazy) == state(absorbed(last, eager=True))


def test_a_repr_decodes_nothing_and_says_so():
    view = absorbed([claims(1), link(2, "x"), reference(3, "r")], eager=False)
    assert repr(view).endswith("0 claims, 0 links, 0 OCI references, 0 corrupt, 3 values not decoded yet>")
    assert len(view.links) == 1
    assert repr(view).endswith("1 claims, 1 links, 1 OCI references, 0 corrupt>")


def test_a_corrupt_message_is_kept_as_it_was_stored():
    headers = Headers({"k": "v"})
    with_headers = Message("lc.default.claims.M1", 1, 77, headers, b"{")
    without = Message("lc.default.claims.M2", 2, 78, NO_HEADERS, b"{")
    view = absorbed([with_headers, without], eager=False)
    assert [corrupt.message for corrupt in view.corrupt.values()] == [with_headers, without]


def test_messages_are_given_out_once_and_in_the_order_they_came():
    unread = Unread()
    unread.take([claims(1, "M2"), link(2, "x"), claims(3, "M1")])
    unread.take([claims(4, "M2")])
    assert (len(unread), unread.subject_count) == (4, 3)
    assert [[message.sequence for message in run] for run in unread.drain()] == [[1, 2, 3], [4]]
    assert not unread


@given(histories)
def test_loading_gives_what_applying_gives(messages):
    applied = GrowingView(FORMAT)
    for message in messages:
        applied.apply(message)
    assert state(absorbed(messages, eager=True)) == state(applied)
