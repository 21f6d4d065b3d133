"""The administration of consumers: every setting, valid and not, in every form of the request; changes and ends.

Not drawn: an offset below zero when consumers are listed, which ends a server before 2.12; ``direct``, ``sourcing``
and the ack policy ``flow_control`` where they would be accepted, which are not simulated; empty lists
and times with another offset than UTC, which a server tells from absent and equal ones when it compares
configurations; slashes in a name before 2.12, which a server takes and then cannot store; lists of consumers whose
names the server made up, since they are sorted by name; several requests at once, which workers share; streams
kept by interest, since what goes with a consumer there is another matter.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.agreement.families._consumer_outcomes import EXPECTED, LACKING
from tests.agreement.families._consumer_settings import (
    BASES,
    BROKEN,
    CHANGES,
    CROWD,
    FUTURE,
    NO_PRIORITIES,
    PAST,
    STREAMS,
    Settings,
    drawn_settings,
    spelled,
)
from tests.agreement.family import Family

_PARTICULAR, _PLAIN = 0, 1

forms = st.sampled_from(  # for which stream and consumer; whether the name is a durable one
    [
        ("CREATE.{0}.{1}", False),
        ("CREATE.{0}.{1}", True),
        ("CREATE.{0}.{1}", True),
        ("CREATE.{0}.{1}.{{}}.0.a", True),
        ("CREATE.{0}.{1}.x", False),
        ("CREATE.{0}.{1}.a..b", False),
        ("DURABLE.CREATE.{0}.{1}", True),
        ("DURABLE.CREATE.{0}.{1}", False),
    ]
)
names = st.sampled_from(["a", "a", "b", "c"])
options = st.sampled_from([{}, {}, {}, {"action": "create"}, {"action": "update"}, {"action": ""}, {"pedantic": True}])
pages = st.sampled_from(
    [b"", b"{}", b" { } ", b"no", b"[]", b"{", b'{"offset": 1}', b'{"offset": 9}', b'{"offset": "1"}']
)
pauses = st.sampled_from(
    [b"", b"no", b"{", b'{"pause_until": "soon"}']
    + [f'{{"pause_until": "{time}"}}'.encode() for time in (PAST, FUTURE, "0001-01-01T00:00:00Z")]
)


class Consumers(Family):
    name = "consumers"
    expected = EXPECTED
    lacking = LACKING
    states_every = 4

    @initialize(storage=st.sampled_from(["memory", "file"]), settings=st.sampled_from(STREAMS))
    def begin(self, storage: str, settings: Settings) -> None:
        self.create(_PARTICULAR, storage, **settings)
        self.create(_PLAIN, storage)
        for slot in (_PARTICULAR, _PLAIN):
            self.publish_many((f"{self.space}.{slot}.{token}", b"x", ()) for token in ("a", "b", "a", "a.x"))

    def put(self, form: str, settings: Settings, options: Settings | None = None, slot: int = _PARTICULAR) -> Any:
        """Ask for a consumer; *form* may name the stream and the example's space."""
        body = {"stream_name": self.stream(slot), "config": spelled(settings, self.space), **(options or {})}
        return self.request(f"CONSUMER.{form.replace('{}', self.space)}", body)

    # -- create and update --------------------------------------------------------------------------

    @rule(puts=st.lists(st.tuples(forms, names, drawn_settings, options), min_size=1, max_size=5))
    def puts(self, puts: list[tuple[tuple[str, bool], str, Settings, Settings]]) -> None:
        for (form, durable), name, settings, options in puts:
            named = {"durable_name": name} if durable else {}
            self.put(form.format(self.stream(_PARTICULAR), name), {**named, **settings}, options)

    @rule(puts=st.lists(st.tuples(names, st.sampled_from(CROWD), options), min_size=2, max_size=6))
    def crowd(self, puts: list[tuple[str, Settings, Settings]]) -> None:
        for name, chosen, options in puts:
            self.put(f"CREATE.{self.stream(_PARTICULAR)}.{name}", {"durable_name": name, **chosen}, options)

    @rule(several=st.lists(st.sampled_from(BROKEN), min_size=3, max_size=8))
    def broken(self, several: list[Settings]) -> None:
        for settings in several:
            self.put(f"CREATE.{self.stream(_PLAIN)}.c", settings, slot=_PLAIN)

    @rule(settings=st.sampled_from(NO_PRIORITIES))
    def no_priority(self, settings: Settings) -> None:
        if self.profile not in ("2.9", "2.10"):
            self.put(f"CREATE.{self.stream(_PLAIN)}.c", settings, slot=_PLAIN)

    @rule(base=st.sampled_from(BASES), changes=st.lists(st.sampled_from(CHANGES), min_size=2, max_size=6))
    def changes(self, base: Settings, changes: list[Settings]) -> None:
        form = f"CREATE.{self.stream(_PLAIN)}.changed"
        for change in ({}, *changes, {}):
            self.put(form, {"durable_name": "changed", **base, **change}, slot=_PLAIN)
        self.request(f"CONSUMER.DELETE.{self.stream(_PLAIN)}.changed")

    @rule(settings=drawn_settings, options=options)
    def unnamed(self, settings: Settings, options: Settings) -> None:
        """One without any name gets one by chance, by which it would be sorted: it does not stay."""
        made = self.put(f"CREATE.{self.stream(_PARTICULAR)}", settings, options)
        if "config" in made and "name" not in settings:
            self.request(f"CONSUMER.INFO.{self.stream(_PARTICULAR)}.{made['name']}")
            self.request(f"CONSUMER.DELETE.{self.stream(_PARTICULAR)}.{made['name']}")

    @rule(
        form=st.sampled_from(
            ["CREATE.{}", "CREATE.{}.a", "CREATE.none.a", "CREATE.{}.a\\b", "DURABLE.CREATE.{}.a", "DURABLE.CREATE.{}"]
        ),
        body=st.sampled_from(
            [b"", b"{}", b"no", b"[]", b'{"stream_name": "none"}', b'{"stream_name": "none", "config": 1}']
        ),
        level=st.sampled_from(["", "", "1", "9", "much"]),
    )
    def malformed(self, form: str, body: bytes, level: str) -> None:
        headers = [("Nats-Required-Api-Level", level)] if level else []
        self.request(f"CONSUMER.{form.format(self.stream(_PARTICULAR))}", body, headers=headers)

    # -- look at ------------------------------------------------------------------------------------

    @rule(name=names, body=pages, words=st.sampled_from(["NAMES", "LIST"]))
    def look(self, name: str, body: bytes, words: str) -> None:
        for stream in (self.stream(_PARTICULAR), "none"):
            self.request(f"CONSUMER.INFO.{stream}.{name}", body)
            self.request(f"CONSUMER.{words}.{stream}", body)

    # -- change and end -----------------------------------------------------------------------------

    @rule(name=names, body=st.sampled_from([b"", b"", b"", b"x"]))
    def delete(self, name: str, body: bytes) -> None:
        self.request(f"CONSUMER.DELETE.{self.stream(_PARTICULAR)}.{name}", body)

    @rule(name=names, body=pauses)
    def pause(self, name: str, body: bytes) -> None:
        if self.profile not in ("2.9", "2.10"):
            self.request(f"CONSUMER.PAUSE.{self.stream(_PARTICULAR)}.{name}", body)

    @rule(name=names, body=st.sampled_from([b"", b"no", b'{"seq": 2, "more": 1}', b'{"seq": 9}', b'{"seq": -1}']))
    def reset(self, name: str, body: bytes) -> None:
        self.request(f"CONSUMER.RESET.{self.stream(_PARTICULAR)}.{name}", body)

    @rule(settings=st.sampled_from([*STREAMS, {"consumer_limits": {"max_ack_pending": 2000}}]))
    def stream_changed(self, settings: Settings) -> None:
        name = self.stream(_PARTICULAR)
        config = {"name": name, "subjects": [f"{self.space}.0.>"], "storage": self.storages[_PARTICULAR]}
        self.request(f"STREAM.UPDATE.{name}", {**config, **settings})
