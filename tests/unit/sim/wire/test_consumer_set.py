"""Many consumers of one stream: whatever happens, who has something to do has a turn, and the first deadline is known.

Every request is followed by `check`, which asks each consumer.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lattice_store_sim._core._invariants import check
from tests.unit.sim.wire.wire import Wire

SECOND_NS = 1_000_000_000
MOST = 8

names = st.integers(0, MOST - 1).map("C{}".format)
tokens = st.sampled_from(["a", "b", "c.d"])
filters = st.sampled_from([[], ["s.a"], ["s.b"], ["s.c.>"], ["s.*"], ["s.a", "s.c.d"]])
policies = st.sampled_from(["explicit", "explicit", "all", "none"])
pull_settings = st.sampled_from(
    [{}, {"ack_wait": SECOND_NS}, {"max_ack_pending": 1}, {"inactive_threshold": SECOND_NS}]
)
push_settings = st.sampled_from([{}, {"idle_heartbeat": SECOND_NS}, {"max_ack_pending": 1, "max_deliver": 2}])


class Many(RuleBasedStateMachine):
    @initialize(retention=st.sampled_from(["limits", "limits", "interest"]), most=st.sampled_from([-1, 2]))
    def begin(self, retention, most):
        self.wire = Wire.with_stream(tokens="ab", retention=retention, max_msgs_per_subject=most, storage="file")
        for number in range(MOST):
            self.wire.listen(f"to.{number}")
            if number % 2:
                self.create(f"C{number}", {"durable_name": f"C{number}", "ack_policy": "explicit"})

    def create(self, name, config):
        self.wire.ask(f"CONSUMER.CREATE.S.{name}", {"stream_name": "S", "config": config})

    @rule(name=names, filters=filters, policy=policies, settings=pull_settings)
    def pulls(self, name, filters, policy, settings):
        if policy == "none":
            settings = {}
        self.create(name, {"name": name, "filter_subjects": filters, "ack_policy": policy, **settings})

    @rule(name=names, filters=filters, policy=policies, settings=push_settings)
    def pushes(self, name, filters, policy, settings):
        if policy == "none":
            settings = {}
        config = {"name": name, "deliver_subject": f"to.{name[1:]}", "filter_subjects": filters, "ack_policy": policy}
        self.create(name, {**config, **settings})

    @rule(name=names)
    def deletes(self, name):
        self.wire.ask(f"CONSUMER.DELETE.S.{name}")

    @rule(name=names)
    def looks(self, name):
        self.wire.ask(f"CONSUMER.INFO.S.{name}")

    @rule(name=names, until=st.sampled_from(["2023-11-14T22:13:30Z", "2020-01-01T00:00:00Z"]))
    def pauses(self, name, until):
        self.wire.ask(f"CONSUMER.PAUSE.S.{name}", {"pause_until": until})

    @rule(name=names, body=st.sampled_from([b"", b'{"batch":3,"expires":1000000000}', b'{"batch":2,"no_wait":true}']))
    def asks(self, name, body):
        self.wire.ask(f"CONSUMER.MSG.NEXT.S.{name}", body)

    @rule(tokens=st.lists(tokens, min_size=1, max_size=3))
    def publishes(self, tokens):
        for token in tokens:
            self.wire.publish(token)

    @rule(back=st.integers(0, 5), kind=st.sampled_from([b"", b"-NAK", b"-NAK 50ms", b"+WPI", b"+TERM"]))
    def acks(self, back, kind):
        came = [one.reply for one in self.wire.heard if one.reply.startswith("$JS.ACK.")]
        if came:
            self.wire.send(came[-1 - back % len(came)], kind)

    @rule(sequence=st.integers(1, 6))
    def removes(self, sequence):
        self.wire.ask("STREAM.MSG.DELETE.S", {"seq": sequence})

    @rule(body=st.sampled_from([{}, {"filter": "s.a"}, {"keep": 1}]))
    def purges(self, body):
        self.wire.ask("STREAM.PURGE.S", body)

    @rule(number=st.integers(0, MOST - 1))
    def ceases_to_listen(self, number):
        core = self.wire.api.core
        core.unsubscribe(f"to.{number}", now_ns=self.wire.now_ns)
        check(core)
        core.subscribe(f"to.{number}", now_ns=self.wire.now_ns)
        check(core)

    @rule(duration_ns=st.sampled_from([SECOND_NS // 20, SECOND_NS, 6 * SECOND_NS]))
    def time_passes(self, duration_ns):
        self.wire.now_ns += duration_ns
        self.wire.api.core.advance(self.wire.now_ns)
        check(self.wire.api.core)

    @rule()
    def restarts(self):
        self.wire.restart()

    @rule()
    def goes_on_as_a_copy(self):
        self.wire.api.core = self.wire.api.core.copy()
        check(self.wire.api.core)


TestMany = Many.TestCase
TestMany.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
