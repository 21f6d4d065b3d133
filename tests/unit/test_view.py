"""The fold, against a reference that is too slow to use and too simple to be wrong."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lattice_store._changes import RecordCorrupt, RecordPut, RecordRemoved
from lattice_store._formats import StreamFormat, reference_token
from lattice_store._records import Claims, ClaimsKey, LinkKey, OciReferenceKey
from lattice_store._view import GrowingView, LatticeView
from lattice_store.headers import NO_HEADERS
from lattice_store.model import Batch, Message

FORMAT = StreamFormat("default")
SECRET = "hunter2"


def claims(sequence: int, public_key: str = "M1", **fields: object) -> Message:
    value = {"sub": public_key, "iss": "A1", **fields}
    return Message(f"lc.default.claims.{public_key}", sequence, 0, NO_HEADERS, json.dumps(value).encode())


def link(sequence: int, id_: str, actor: str = "M1", *, deleted: bool = False, url: str = "u") -> Message:
    value = {
        "actor_id": actor, "contract_id": "c", "link_name": "default", "provider_id": "V1",
        "values": {"URL": url}, "deleted": deleted,
    }  # fmt: skip
    return Message(f"lc.default.linkdefs.{id_}", sequence, 0, NO_HEADERS, json.dumps(value).encode())


def reference(sequence: int, url: str, public_key: str = "M1", *, deleted: bool = False) -> Message:
    value = {"oci_url": url, "public_key": public_key, "deleted": deleted}
    subject = f"lc.default.refmap.{reference_token(url)}"
    return Message(subject, sequence, 0, NO_HEADERS, json.dumps(value).encode())


def garbage(sequence: int, subject: str) -> Message:
    return Message(subject, sequence, 0, NO_HEADERS, f'{{"{SECRET}'.encode())


def folded(*messages: Message) -> LatticeView:
    view = GrowingView(FORMAT)
    for message in messages:
        view.apply(message)
    return view


def test_each_kind_is_found_by_its_key_with_its_revision():
    view = folded(claims(1), link(2, "x"), reference(5, "r/echo:1"))
    assert view.find(ClaimsKey("M1")).revision == 1
    assert view.find(LinkKey("M1", "c")).record.provider_id == "V1"
    assert view.find(LinkKey("M1", "c")).subjects == ("lc.default.linkdefs.x",)
    assert view.find(OciReferenceKey("r/echo:1")).record.public_key == "M1"
    assert view.find(ClaimsKey("M2")) is None
    assert len(view) == 3
    assert view.revision == 5
    assert {entry.record.key for entry in view} == {ClaimsKey("M1"), LinkKey("M1", "c"), OciReferenceKey("r/echo:1")}


def test_a_message_twice_or_out_of_date_changes_nothing():
    view = folded(claims(5, name="new"))
    assert view.apply(claims(5, name="new")) == []
    assert view.apply(claims(3, name="old")) == []
    assert view.find(ClaimsKey("M1")).record.name == "new"


def test_changes_tell_what_was_there_before():
    view = GrowingView(FORMAT)
    (first,) = view.apply(claims(1, name="a"))
    assert isinstance(first, RecordPut)
    assert first.previous is None
    (second,) = view.apply(claims(2, name="b"))
    assert second.previous == first.entry
    (third,) = view.apply(claims(3, deleted=True))
    assert third == RecordRemoved(ClaimsKey("M1"), 3, second.entry)
    assert view.apply(claims(4, deleted=True)) == []
    assert len(view) == 0


def test_the_newest_message_of_a_triple_decides_over_all_its_subjects():
    view = folded(link(1, "x", url="old"), link(2, "y", url="new"))
    entry = view.find(LinkKey("M1", "c"))
    assert entry.record.values == {"URL": "new"}
    assert entry.revision == 2
    assert entry.subjects == ("lc.default.linkdefs.y", "lc.default.linkdefs.x")
    # A host deletes by triple: the mark on one id takes the triple away, whatever other ids still hold.
    view.apply(link(3, "y", deleted=True))
    assert view.find(LinkKey("M1", "c")) is None
    # The other order: a mark on the older id, newer than the put on the newer one.
    assert folded(link(1, "x"), link(2, "y"), link(3, "x", deleted=True)).links == {}
    # A put after the mark, under a third id, is a new link.
    view.apply(link(4, "z", url="again"))
    assert view.find(LinkKey("M1", "c")).record.values == {"URL": "again"}


def test_a_subject_that_changes_hands_leaves_its_former_triple():
    view = folded(link(1, "x"), link(2, "y", url="kept"))
    changes = view.apply(link(3, "y", actor="M2"))
    assert [type(change) for change in changes] == [RecordPut, RecordPut]
    assert view.find(LinkKey("M1", "c")).revision == 1
    assert view.find(LinkKey("M2", "c")).revision == 3
    changes = view.apply(link(4, "x", actor="M2"))
    assert isinstance(changes[0], RecordRemoved)
    assert view.find(LinkKey("M1", "c")) is None


def test_what_cannot_be_decoded_is_kept_and_counted_and_stops_nothing():
    view = folded(claims(1), garbage(2, "lc.default.claims.M9"), link(3, "x"), garbage(4, "lc.default.ocimap.eA"))
    assert len(view) == 2
    assert set(view.corrupt) == {"lc.default.claims.M9", "lc.default.ocimap.eA"}
    corrupt = view.corrupt["lc.default.claims.M9"]
    assert corrupt.message.payload == f'{{"{SECRET}'.encode()
    assert (corrupt.error.subject, corrupt.error.revision) == ("lc.default.claims.M9", 2)
    assert SECRET not in repr(corrupt)
    assert SECRET not in str(corrupt.error)
    assert repr(view).endswith("2 corrupt>")


def test_garbage_takes_the_former_value_away_as_it_did_in_the_stream():
    view = folded(claims(1))
    changes = view.apply(garbage(2, "lc.default.claims.M1"))
    assert [type(change) for change in changes] == [RecordCorrupt, RecordRemoved]
    assert view.find(ClaimsKey("M1")) is None
    (change,) = view.apply(claims(3))
    assert isinstance(change, RecordPut)
    assert not view.corrupt


def test_the_lowest_revision_owns_a_call_alias():
    view = folded(claims(4, "M2", call_alias="echo"), claims(2, "M1", call_alias="echo"), claims(5, "M3"))
    assert view.find_call_alias("echo").record.key == ClaimsKey("M1")
    (conflict,) = view.alias_conflicts()
    assert (conflict.call_alias, conflict.owner, conflict.others) == ("echo", ClaimsKey("M1"), (ClaimsKey("M2"),))
    view.apply(claims(6, "M1", call_alias="other"))
    assert view.find_call_alias("echo").record.key == ClaimsKey("M2")
    assert view.alias_conflicts() == ()
    view.apply(claims(7, "M2", deleted=True))
    assert view.find_call_alias("echo") is None
    assert view.find_call_alias("nobody") is None


def test_hosts_ignore_aliases_of_a_single_letter():
    assert folded(claims(1, call_alias="x")).find_call_alias("x") is None


def test_a_batch_moves_the_revision_even_without_messages():
    view = GrowingView(FORMAT)
    assert view.apply_batch(Batch(messages=(), sequence=7, pending=0, caught_up=True)) == []
    assert view.revision == 7
    view.apply_batch(Batch(messages=(claims(8), claims(9, "M2")), sequence=9, pending=0, caught_up=True))
    assert (view.revision, len(view)) == (9, 2)
    view.advance(3)
    assert view.revision == 9


def test_the_mappings_cannot_be_written_to():
    view = folded(claims(1), link(2, "x"), reference(3, "r"))
    for mapping in (view.claims, view.links, view.oci_references, view.corrupt):
        with pytest.raises(TypeError):
            mapping["x"] = 1
    with pytest.raises(ValueError, match="not the key of a record: str"):
        view.find("M1")


PUBLIC_KEYS, ALIASES, ACTORS, IDS = ["M1", "M2", "M3"], ["", "echo", "ping"], ["M1", "M2"], ["x", "y", "z"]
SUBJECTS = [*(f"lc.default.claims.{key}" for key in PUBLIC_KEYS), *(f"lc.default.linkdefs.{id_}" for id_ in IDS)]
makers = st.one_of(
    st.builds(
        lambda key, alias, deleted: lambda n: claims(n, key, call_alias=alias, deleted=deleted),
        st.sampled_from(PUBLIC_KEYS), st.sampled_from(ALIASES), st.booleans(),
    ),
    st.builds(
        lambda id_, actor, deleted, url: lambda n: link(n, id_, actor, deleted=deleted, url=url),
        st.sampled_from(IDS), st.sampled_from(ACTORS), st.booleans(), st.sampled_from(["u", "v"]),
    ),
    st.builds(
        lambda url, deleted: lambda n: reference(n, url, deleted=deleted), st.sampled_from(["M1", "s"]), st.booleans()
    ),
    st.builds(lambda subject: lambda n: garbage(n, subject), st.sampled_from(SUBJECTS)),
)  # fmt: skip
histories = st.lists(makers, max_size=25).map(lambda made: [make(n) for n, make in enumerate(made, start=1)])


def reference_fold(messages: list[Message]) -> dict[object, tuple[int, object]]:
    """The last message of every subject; of those, the newest of every key; of those, the ones not deleted."""
    last = {message.subject: message for message in messages}
    newest: dict[object, tuple[int, dict]] = {}
    for message in sorted(last.values(), key=lambda message: message.sequence):
        try:
            value = json.loads(message.payload)
        except ValueError:
            continue
        if "actor_id" in value:
            key = (value["actor_id"], value["contract_id"], value["link_name"])
        else:
            key = ("claims", value["sub"]) if "sub" in value else ("reference", value["oci_url"])
        newest[key] = (message.sequence, value)
    return {key: (sequence, value) for key, (sequence, value) in newest.items() if not value.get("deleted")}


def state(view: LatticeView) -> dict[object, object]:
    records = {entry.record.key: (entry.revision, entry.record, entry.subjects) for entry in view}
    aliases = {alias: view.find_call_alias(alias) and view.find_call_alias(alias).record.key for alias in ALIASES}
    corrupt = {subject: held.error.revision for subject, held in view.corrupt.items()}
    return {"records": records, "aliases": aliases, "corrupt": corrupt, "conflicts": view.alias_conflicts()}


@given(histories)
def test_the_view_is_what_the_last_messages_say(messages):
    view = folded(*messages)
    expected = reference_fold(messages)
    found = {}
    for entry in view:
        key = entry.record.key
        kind = {ClaimsKey: ("claims",), OciReferenceKey: ("reference",), LinkKey: ()}[type(key)]
        found[(*kind, *msgspec.structs.astuple(key))] = entry.revision
    assert found == {key: sequence for key, (sequence, _) in expected.items()}
    claimed: dict[str, list[tuple[int, str]]] = {}
    for sequence, value in expected.values():
        if "sub" in value and len(value["call_alias"]) > 1:
            claimed.setdefault(value["call_alias"], []).append((sequence, value["sub"]))
    for alias, claimants in claimed.items():
        assert view.find_call_alias(alias).record.public_key == min(claimants)[1]
    assert len(view.alias_conflicts()) == sum(len(claimants) > 1 for claimants in claimed.values())


@given(histories, st.data())
def test_rebuilding_gives_what_following_gave(messages, data):
    """Applying the whole history, or any part and then the last message of each subject, ends the same."""
    followed = folded(*messages)
    last = sorted({message.subject: message for message in messages}.values(), key=lambda message: message.sequence)
    assert state(folded(*last)) == state(followed)
    cut = data.draw(st.integers(0, len(messages)))
    assert state(folded(*messages, *messages[cut:])) == state(followed)
    assert state(folded(*messages[:cut], *last)) == state(followed)


def known(entry):
    """What changes tell of an entry; which subjects hold it may change without a word."""
    return entry and (entry.record, entry.revision)


@given(histories)
def test_the_changes_replayed_give_the_records(messages):
    view, records = GrowingView(FORMAT), {}
    for message in messages:
        for change in view.apply(message):
            if isinstance(change, RecordPut):
                assert known(change.previous) == known(records.get(change.entry.record.key))
                records[change.entry.record.key] = change.entry
            elif isinstance(change, RecordRemoved):
                assert known(records.pop(change.key)) == known(change.previous)
    assert {key: entry.record for key, entry in records.items()} == {e.record.key: e.record for e in view}


@given(histories, histories)
def test_the_differences_between_two_views_lead_from_one_to_the_other(before, after):
    old, new = folded(*before), folded(*after)
    records = {entry.record.key: entry.record for entry in old}
    for change in old.changes_to(new):
        if isinstance(change, RecordPut):
            assert (change.previous and change.previous.record) == records.get(change.entry.record.key)
            records[change.entry.record.key] = change.entry.record
        elif isinstance(change, RecordRemoved):
            del records[change.key]
        else:
            assert change.error.subject in new.corrupt
    assert records == {entry.record.key: entry.record for entry in new}
    assert list(new.changes_to(new)) == []


def test_keys_of_different_kinds_are_never_equal():
    view = folded(claims(1, "X"), reference(2, "X"))
    assert ClaimsKey("X") != OciReferenceKey("X")
    assert view.find(OciReferenceKey("X")).subjects == (f"lc.default.refmap.{reference_token('X')}",)
    view.apply(garbage(3, f"lc.default.refmap.{reference_token('X')}"))
    assert view.find(OciReferenceKey("X")) is None
    assert isinstance(view.find(ClaimsKey("X")).record, Claims)


def test_views_of_claims_hold_typed_records():
    assert isinstance(folded(claims(1)).claims[ClaimsKey("M1")].record, Claims)
