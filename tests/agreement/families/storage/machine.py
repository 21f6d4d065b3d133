"""The two storages of the library, compared after every step: values and errors as a user of them meets them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from lattice_store.errors import MessageNotFoundError, StreamNotFoundError
from lattice_store.model import DeliverFromTime, Expect, Publication, StorageType, StreamConfig
from lattice_store.storage import Storage
from tests.agreement.families.storage import alphabets as draw
from tests.agreement.families.storage.expected import LACKING, ROWS
from tests.agreement.families.storage.pair import Ask, Pair, brief, snapshot
from tests.agreement.family import Machine

_SLOTS: Final = range(3)
_STEPS_BETWEEN_FULL_COMPARISONS: Final = 7

publications = st.fixed_dictionaries(
    {
        "rest": draw.tokens,
        "payload": draw.payloads,
        "headers": draw.headers,
        "message_id": draw.message_ids,
        "expect": draw.expectations,
    }
)


class ThroughStorage(Machine):
    """Three places for streams; what is drawn for one may overlap another."""

    name: ClassVar = "storage"
    expected: ClassVar = ROWS
    lacking: ClassVar = LACKING
    weight: ClassVar = 0.8  # asynchronous, with a client library between: the slowest

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.pair: Pair = self.run(Pair.open(self.ground))
        self.types: dict[int, StorageType] = {}
        self.retired = [0 for _ in _SLOTS]
        self.steps = 0

    def teardown(self) -> None:
        self.run(self.pair.aclose())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def ask(self, name: str, ask: Ask, *arguments: object) -> Any:
        self.steps += 1
        return self.run(self.pair.ask(name, ask, f"{name}({', '.join(map(brief, arguments))})"))

    # -- names, and what holds at the moment ----------------------------------------------------

    def stream(self, slot: int) -> str:
        return f"{self.pair.space}_{slot}_{self.retired[slot]}"

    def filter(self, slot: int, rest: str) -> str:
        return rest if rest == ">" else f"{self.pair.space}.{slot}.{rest}"

    def config(self, slot: int, storage: StorageType, settings: dict[str, Any]) -> StreamConfig:
        subjects = [
            f"{self.pair.space}.{rest[3:]}" if rest.startswith("../") else f"{self.pair.space}.{slot}.{rest}"
            for rest in settings["subjects"]
        ]
        return StreamConfig(**{**settings, "name": self.stream(slot), "subjects": subjects, "storage": storage})

    def last_sequence(self, slot: int) -> int:
        try:
            return self.run(self.pair.sim.stream_info(self.stream(slot))).state.last_sequence
        except StreamNotFoundError:
            return 0

    def last_subject_sequence(self, slot: int, subject: str) -> int:
        try:
            return self.run(self.pair.sim.get_last_message(self.stream(slot), subject)).sequence
        except (StreamNotFoundError, MessageNotFoundError):
            return 0

    def publication(self, slot: int, drawn: dict[str, Any]) -> Publication:
        subject = f"{self.pair.space}.{slot}.{drawn['rest']}"
        expect = dict(drawn["expect"])
        right = {
            "stream": self.stream(slot),
            "last_sequence": self.last_sequence(slot),
            "last_subject_sequence": self.last_subject_sequence(slot, subject),
        }
        expect = {field: right[field] if value == "right" else value for field, value in expect.items()}
        if "last_subject_filter" in expect:
            expect["last_subject_filter"] = self.filter(slot, expect["last_subject_filter"])
        spoils = self.ground.profile == "2.9" and drawn["headers"].get("Nats-Rollup") == "ALL"
        return Publication(
            subject=subject,
            payload=drawn["payload"],
            headers={} if spoils else drawn["headers"],
            message_id=drawn["message_id"],
            expect=Expect(**expect) if expect else None,
        )

    # -- streams --------------------------------------------------------------------------------

    @initialize(
        storages=st.tuples(draw.storage_types, draw.storage_types),
        settings=st.tuples(draw.settings, draw.settings | draw.refusing),
        rests=st.lists(draw.tokens, max_size=6),
    )
    def begin(self, storages: tuple[StorageType, ...], settings: tuple[dict[str, Any], ...], rests: list[str]) -> None:
        """Two streams, and some messages, large ones in the second."""
        for slot in range(2):
            self.create(slot, storages[slot], settings[slot], again=False)
            if slot not in self.types:
                self.create(slot, storages[slot], {"subjects": (">",)}, again=False)
        self.fill(0, rests, b"x" * 10)
        self.fill(1, rests[:2], b"x" * 100)

    @rule(slot=st.sampled_from([0, 1, 2, 2]), storage=draw.storage_types, settings=draw.settings, again=st.booleans())
    def create(self, slot: int, storage: StorageType, settings: dict[str, Any], again: bool) -> None:
        config = self.config(slot, storage, settings)
        if again and slot in self.types:
            config = self.run(self.pair.sim.stream_info(self.stream(slot))).config
        info = self.ask("create_stream", lambda s: s.create_stream(config), config)
        if info is not None:
            self.types[slot] = info.config.storage

    @rule(slot=draw.slots, settings=draw.settings, moved=st.sampled_from([False] * 5 + [True]))
    def update(self, slot: int, settings: dict[str, Any], moved: bool) -> None:
        storage = self.types.get(slot, StorageType.FILE)
        if moved:
            storage = StorageType.MEMORY if storage is StorageType.FILE else StorageType.FILE
        config = self.config(slot, storage, settings)
        self.ask("update_stream", lambda s: s.update_stream(config), config)

    @rule(slot=draw.slots, sure=st.sampled_from([False] * 4 + [True]))
    def delete(self, slot: int, sure: bool) -> None:
        name = self.stream(slot)
        if sure or slot not in self.types:
            self.ask("delete_stream", lambda s: s.delete_stream(name), name)
            if self.types.pop(slot, None) is StorageType.FILE:
                self.retired[slot] += 1

    @rule(
        storage=draw.storage_types,
        rest=draw.tokens,
        settings=draw.settings,
        sure=st.sampled_from([False] * 3 + [True]),
    )
    def seal(self, storage: StorageType, rest: str, settings: dict[str, Any], sure: bool) -> None:
        """Let a stream end sealed, and ask for all that is refused then."""
        if not sure:
            return
        if 2 not in self.types:
            self.create(2, storage, {"subjects": (">",)}, again=False)
            self.fill(2, [rest], b"x")
        if 2 in self.types:
            self.update(2, {"subjects": (">",), "sealed": True}, moved=False)
            self.fill(2, [rest], b"x")
            self.delete_message(2, 1)
            self.purge(2, None, None, None)
            self.update(2, settings, moved=False)
            self.delete(2, sure=True)

    @rule(slot=draw.slots, rest=draw.any_filter)
    def list_streams(self, slot: int, rest: str | None) -> None:
        subject = f"{self.pair.space}.{'>' if rest is None else f'{slot}.{rest}'}"
        self.ask("list_streams", lambda s: s.list_streams(subject=subject), subject)

    # -- publishing -----------------------------------------------------------------------------

    @rule(slot=draw.slots, drawn=st.lists(publications, min_size=1, max_size=3))
    def publish(self, slot: int, drawn: list[dict[str, Any]]) -> None:
        for each in drawn:
            self.publish_one(self.publication(slot, each))

    def publish_one(self, given: Publication) -> None:

        def ask(storage: Storage) -> Any:
            return storage.publish(
                given.subject,
                given.payload,
                headers=given.headers,
                message_id=given.message_id,
                expect=given.expect,
            )

        self.ask("publish", ask, given)

    @rule(slot=draw.slots, rests=st.lists(draw.tokens, min_size=1, max_size=4), payload=draw.payloads)
    def fill(self, slot: int, rests: list[str], payload: bytes) -> None:
        for rest in rests:
            subject = f"{self.pair.space}.{slot}.{rest}"
            self.ask("publish", lambda s, subject=subject: s.publish(subject, payload), subject, len(payload))

    @rule(slot=draw.slots, drawn=st.lists(publications, max_size=5), window=st.integers(1, 3))
    def publish_many(self, slot: int, drawn: list[dict[str, Any]], window: int) -> None:
        given = [self.publication(slot, each) for each in drawn]

        async def ask(storage: Storage) -> Any:
            return [result async for result in storage.publish_many(given, window=window)]

        self.ask("publish_many", ask, given, window)

    # -- reading and removing -------------------------------------------------------------------

    @rule(slot=draw.slots, sequence=draw.sequences)
    def get_message(self, slot: int, sequence: int) -> None:
        name = self.stream(slot)
        self.ask("get_message", lambda s: s.get_message(name, sequence), name, sequence)

    @rule(slot=draw.slots, rest=draw.filters)
    def get_last_message(self, slot: int, rest: str) -> None:
        name, subject = self.stream(slot), self.filter(slot, rest)
        self.ask("get_last_message", lambda s: s.get_last_message(name, subject), name, subject)

    @rule(slot=draw.slots, sequence=draw.sequences)
    def delete_message(self, slot: int, sequence: int) -> None:
        name = self.stream(slot)
        if self.ground.profile in draw.LOSING and self.is_newest_of_several(slot, sequence):
            return
        self.ask("delete_message", lambda s: s.delete_message(name, sequence), name, sequence)

    def is_newest_of_several(self, slot: int, sequence: int) -> bool:
        if slot not in self.types:
            return False
        _, stored = self.run(snapshot(self.pair.sim, self.stream(slot)))
        subject = next((message.subject for message in stored if message.sequence == sequence), None)
        of_subject = [message.sequence for message in stored if message.subject == subject]
        return len(of_subject) > 1 and of_subject[-1] == sequence

    @rule(
        slot=draw.slots,
        rest=draw.any_filter,
        before=st.none() | draw.sequences,
        keep=st.none() | st.integers(1, 3),
    )
    def purge(self, slot: int, rest: str | None, before: int | None, keep: int | None) -> None:
        name, subject = self.stream(slot), None if rest is None else self.filter(slot, rest)
        if self.ground.profile == "2.9" and rest in (None, ">") and (before or keep):
            return
        if before is not None and self.stale_after_purge(slot, before):
            return
        self.ask(
            "purge",
            lambda s: s.purge(name, subject=subject, before_sequence=before, keep=keep),
            name,
            subject,
            before,
            keep,
        )

    def stale_after_purge(self, slot: int, before: int) -> bool:
        """Whether the bookkeeping of a file stream would go wrong: see the list in `alphabets`."""
        if self.types.get(slot) is not StorageType.FILE:
            return False
        state = self.run(self.pair.sim.stream_info(self.stream(slot))).state
        if before > state.last_sequence:
            return False
        _, stored = self.run(snapshot(self.pair.sim, self.stream(slot)))
        return not stored or stored[-1].sequence < before

    @rule(slot=draw.slots, rests=draw.replay_filters, deliver=draw.policies, sequence=draw.sequences)
    def replay(self, slot: int, rests: tuple[str, ...], deliver: Any, sequence: int) -> None:
        if rests == draw.HIDING and self.ground.profile in ("2.10", "2.11"):
            return
        if deliver == "from time" and self.ground.profile == "2.9" and self.types.get(slot) is StorageType.MEMORY:
            return
        name, subjects = self.stream(slot), tuple(self.filter(slot, rest) for rest in rests)

        async def ask(storage: Storage) -> Any:
            policy = deliver
            if policy == "from time":
                policy = DeliverFromTime((await storage.get_message(name, sequence)).time_ns)
            return await snapshot(storage, name, subjects, policy)

        self.ask("replay", ask, name, subjects, deliver)

    # -- after every step -----------------------------------------------------------------------

    @invariant()
    def states_agree(self) -> None:
        for slot in _SLOTS:
            self.run(self.pair.compare_state(self.stream(slot)))
        if self.steps % _STEPS_BETWEEN_FULL_COMPARISONS == 0:
            for name in map(self.stream, self.types):
                self.ask("everything", lambda s, name=name: snapshot(s, name), name)
