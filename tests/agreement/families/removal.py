"""Removal: STREAM.MSG.DELETE and STREAM.PURGE with every option, and where the sequences stand afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.families.removing import RemovingFamily

_SETTINGS: list[dict[str, Any]] = [
    *[{}] * 3,
    {"max_msgs_per_subject": 2},
    {"max_msgs": 5},
    {"allow_rollup_hdrs": True},
    {"deny_delete": True},
    {"deny_purge": True},
]
_BODIES = [
    *(b"", b"{}", b" ", b"null", b"[]", b"x", b"{x", b'"x"', b" {}"),
    *(
        b'{"seq":"1"}',
        b'{"seq":-1}',
        b'{"keep":-1}',
        b'{"filter":5}',
        b'{"foo":1}',
        b'{"seq":2,"keep":2}',
        b'{"FILTER":"none"}',
    ),
]

storages = st.sampled_from(["memory", "file"])
slots = st.sampled_from([0, 0, 0, 1])
tokens = st.sampled_from(["a", "b", "a.x"])
headers = st.sampled_from([*[()] * 5, (("Nats-Rollup", "sub"),), (("Nats-Rollup", "all"),), (("Nats-Msg-Id", "one"),)])
payloads = st.sampled_from([b"x", b""])
sequences = st.integers(0, 14)
filters = st.sampled_from(["a", "b", "a.x", "*", "a.>", ">", "", "none", ".."])
purges = st.one_of(
    st.fixed_dictionaries({}, optional={"filter": filters}),
    st.fixed_dictionaries({"seq": sequences}, optional={"filter": filters}),
    st.fixed_dictionaries({"keep": st.integers(0, 5)}, optional={"filter": filters}),
)


class Removal(RemovingFamily):
    name = "removal"
    expected = frozenset(
        {
            ("STREAM.MSG.DELETE", "ok"),
            ("STREAM.MSG.DELETE", "10003 bad request"),
            ("STREAM.MSG.DELETE", "10025 invalid JSON"),
            ("STREAM.MSG.DELETE", "10043 sequence N not found"),
            ("STREAM.MSG.DELETE", "10057 message delete not permitted"),
            ("STREAM.MSG.DELETE", "10057 no message found"),
            ("STREAM.MSG.DELETE", "10057 stream store EOF"),
            ("STREAM.MSG.DELETE", "10059 stream not found"),
            ("STREAM.MSG.DELETE", "10109 invalid operation on sealed stream"),
            ("STREAM.PURGE", "ok"),
            ("STREAM.PURGE", "10003 bad request"),
            ("STREAM.PURGE", "10025 invalid JSON"),
            ("STREAM.PURGE", "10059 stream not found"),
            ("STREAM.PURGE", "10109 invalid operation on sealed stream"),
            ("STREAM.PURGE", "10110 stream purge not permitted"),
        }
    )
    states_every: ClassVar = 3

    @initialize(storage=storages, settings=st.sampled_from(_SETTINGS))
    def begin(self, storage: str, settings: dict[str, Any]) -> None:
        if self.profile == "2.9":  # where a rollup of all is a purge that keeps one, see `removing`
            settings = {name: value for name, value in settings.items() if name != "allow_rollup_hdrs"}
        self.create(0, storage, **settings)

    @rule(several=st.lists(st.tuples(tokens, payloads, headers), min_size=1, max_size=5))
    def publishes(self, several: list[tuple[str, bytes, tuple[tuple[str, str], ...]]]) -> None:
        self.publish_many((f"{self.space}.0.{token}", payload, headers) for token, payload, headers in several)

    @rule(removed=st.lists(sequences, min_size=1, max_size=4), options=st.sampled_from([{}, {}, {"no_erase": True}]))
    def deletes(self, removed: list[int], options: dict[str, bool]) -> None:
        for sequence in removed:
            self.delete(sequence, **options)

    @rule(asked=purges)
    def purges(self, asked: dict[str, Any]) -> None:
        self.purge(asked)

    @rule(back=st.integers(0, 4))
    def purges_near_the_end(self, back: int) -> None:
        """Purges beyond the end move it away from small sequences."""
        last = self.request(f"STREAM.INFO.{self.stream(0)}")["state"]["last_seq"]
        if last > back:
            self.purge({"seq": last - back})

    @rule(api=st.sampled_from(["STREAM.MSG.DELETE", "STREAM.PURGE"]), slot=slots, body=st.sampled_from(_BODIES))
    def bodies(self, api: str, slot: int, body: bytes) -> None:
        """Also to a stream that does not exist."""
        self.request(f"{api}.{self.stream(slot)}", body)

    @rule(sequence=sequences)
    def looks(self, sequence: int) -> None:
        self.request(f"STREAM.MSG.GET.{self.stream(0)}", {"seq": sequence})
        self.request(f"STREAM.INFO.{self.stream(0)}")

    @rule(chance=st.integers(0, 30))
    def seals(self, chance: int) -> None:
        if chance == 0:
            name = self.stream(0)
            config = self.request(f"STREAM.INFO.{name}")["config"]
            self.request(f"STREAM.UPDATE.{name}", {**config, "sealed": True})
