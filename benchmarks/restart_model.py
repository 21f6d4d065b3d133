"""The model behind ``simulate_restart.py``: hosts that start, and servers that answer them, in virtual time. Pure.

What is assumed, and where it comes from:

- **One message after another is read from the store**, under a lock that one consumer holds at a time (memstore.go,
  ``LoadNextMsg``). To create a consumer takes the same lock, for a walk over all subjects that match (``filteredStateLocked``).
  Go gives a lock that is fought for to all in turn, one message each, so requests come before chunks of thousands of messages.
- **One message after another is delivered**: every push consumer of a stream hands its messages to one queue, in order of
  arrival, which one loop of the stream empties (stream.go, ``internalLoop``). A message takes the slowest of: its CPU time shared by
  all cores, the time of that loop, the time of the store, its bytes on the network. A walk over the subjects has a core of its own.
- **Flow control**: a consumer stops when more than its window is on the way; the window begins with 2 MiB and
  doubles with each answer, up to 32 MiB (consumer.go, ``setMaxPendingBytes``, ``processFlowControl``). Here a chunk is given
  back when the host has read it; the server gives back what was on the way when it asked.
- **A host** asks all it has to ask, the walks last; then it reads at its own speed on a core of its own, and decodes when all is
  there. It is patient: no request and no silence is too long for it. How long they were is told, for the library's limits
  are not as wide.
- **Mirrors** hold all there is, and hosts are spread over them evenly. **Replicas**: a consumer without replicas of its own
  is placed on one of the stream's servers by chance (jetstream_cluster.go, ``createGroupForConsumer``), and reads there.
- Not in the model: TLS, other traffic, the server's memory running out, Go's garbage collector beyond its measured share.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

WINDOW, WINDOW_LIMIT = 2 << 20, 32 << 20
CHUNK = 4096
"""Messages that are looked at as one."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one message, one subject and one request take, in seconds of one core, and bytes."""

    message: float
    """All of the server's CPU time for a message."""
    stream: float
    """That of the one loop that delivers a stream's messages."""
    store: float
    """That of the read under the store's lock."""
    consumer: float
    """That of the consumer's own loop, the read included."""
    client: float
    decode: float
    wire: float
    """Bytes of a message on the wire."""
    count_all: float
    """For each subject, to create a consumer that begins with the last message of all."""
    count_new: float
    """For each subject, to create one that begins behind the last message."""
    request: float
    """Any other request."""
    cold_requests: int
    warm_requests: int

    def seconds_a_message(self, cores: int, nic: float) -> float:
        """Return how long a server with so many cores, and so many bytes a second, needs for each of very many messages."""
        return max(self.message / cores, self.stream, self.store, self.wire / nic)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A restart of all hosts."""

    name: str
    hosts: int = 1000
    keys: int = 1_000_000
    changed: float | None = None
    """What share of the keys a warm start has to read; None is a cold start."""
    jitter: float = 0.0
    """Each host waits a time of its own before it begins, up to so many seconds."""
    servers: int = 1
    """How many servers serve reads."""
    by_chance: bool = False
    """Whether hosts meet them by chance, as replicas, or are spread evenly, as over mirrors."""
    cores: int = 4
    nic: float = 10e9 / 8
    """Bytes a second that a server can send."""
    round_trip: float = 0.0005
    shared_cores: bool = False
    """Whether hosts have to share the cores of the server: only where this model is compared with one machine."""


@dataclass
class _Host:
    starts: float
    left: int
    """Messages that its consumer has not sent yet."""
    asked: float = 0.0
    """When its last request was sent."""
    requests: list[float] = field(default_factory=list)
    """What the requests still to be made take the server."""
    window: int = WINDOW
    on_the_way: float = 0.0
    given_back: float = 0.0
    """Bytes, since the window last grew."""
    sending: bool = False
    read_until: float = 0.0
    heard: float = 0.0
    ready: float = 0.0
    longest_wait: float = 0.0
    longest_silence: float = 0.0


@dataclass
class Load:
    """What one server did, second by second."""

    cpu: dict[int, float] = field(default_factory=dict)
    sent: dict[int, float] = field(default_factory=dict)
    on_the_way: float = 0.0
    most_on_the_way: float = 0.0

    def add(self, at: float, takes: float, cpu: float, sent: float) -> None:
        """Note what was done from *at* on, in the seconds in which it was."""
        end = at + takes
        while True:
            second = int(at)
            part = (min(end, second + 1) - at) / takes if takes else 1.0
            self.cpu[second] = self.cpu.get(second, 0.0) + cpu * part
            self.sent[second] = self.sent.get(second, 0.0) + sent * part
            if end <= second + 1:
                return
            at = second + 1


@dataclass(frozen=True)
class Outcome:
    """What became of a restart; times are seconds after the first host began."""

    scenario: Scenario
    ready: list[float]
    """When each host was ready, in order."""
    longest_wait: float
    """For the answer to a request."""
    longest_silence: float
    """Between two chunks of one host, or before its first."""
    loads: list[Load]

    def share(self, share: float) -> float:
        """Return when so large a share of the hosts was ready."""
        return self.ready[min(len(self.ready) - 1, int(share * len(self.ready)))]

    @property
    def last(self) -> float:
        return self.ready[-1]

    def row(self) -> dict[str, Any]:
        scenario = self.scenario
        return {
            "scenario": scenario.name,
            "hosts": scenario.hosts,
            "keys": scenario.keys,
            "changed": scenario.changed,
            "jitter_s": scenario.jitter,
            "servers": scenario.servers,
            "by_chance": scenario.by_chance,
            "cores": scenario.cores,
            "gbit": round(scenario.nic * 8 / 1e9, 3),
            "median_s": round(self.share(0.5), 3),
            "p99_s": round(self.share(0.99), 3),
            "last_s": round(self.last, 3),
            "longest_wait_s": round(self.longest_wait, 3),
            "longest_silence_s": round(self.longest_silence, 3),
            "peak_cores": round(min(scenario.cores, max(max(load.cpu.values()) for load in self.loads)), 2),
            "peak_gbit": round(max(max(load.sent.values()) for load in self.loads) * 8 / 1e9, 2),
            "sent_gb": round(sum(sum(load.sent.values()) for load in self.loads) / 1e9, 3),
            "server_cpu_s": round(sum(sum(load.cpu.values()) for load in self.loads), 2),
            "on_the_way_mb": round(max(load.most_on_the_way for load in self.loads) / 1e6, 1),
        }


def simulate(scenario: Scenario, costs: Costs, seed: int = 0) -> Outcome:
    """Let all hosts start; the same seed gives the same outcome."""
    chance = random.Random(seed)
    groups: list[list[_Host]] = [[] for _ in range(scenario.servers)]
    for number in range(scenario.hosts):
        at = chance.uniform(0, scenario.jitter)
        place = chance.randrange(scenario.servers) if scenario.by_chance else number % scenario.servers
        groups[place].append(_host(scenario, costs, at))
    loads = [_Server(scenario, costs).serve(group) for group in groups if group]
    hosts = [host for group in groups for host in group]
    return Outcome(
        scenario,
        sorted(host.ready for host in hosts),
        max(host.longest_wait for host in hosts),
        max(host.longest_silence for host in hosts),
        loads,
    )


def _host(scenario: Scenario, costs: Costs, at: float) -> _Host:
    if scenario.changed is None:
        counts, small, left = [costs.count_all * scenario.keys], costs.cold_requests, scenario.keys
    else:
        counts = [costs.count_new * scenario.keys, costs.count_all * scenario.keys]
        small, left = costs.warm_requests, round(scenario.changed * scenario.keys)
    return _Host(at, left, requests=[costs.request] * (small - len(counts)) + counts)


Happens: TypeAlias = Callable[[float, _Host, int], None]


class _Server:
    """One server, and the hosts that it serves: the store, where requests come first, and the queue of the stream's loop."""

    def __init__(self, scenario: Scenario, costs: Costs) -> None:
        self._scenario, self._costs = scenario, costs
        self._half_trip = scenario.round_trip / 2
        hosts_share = costs.client if scenario.shared_cores else 0.0
        all_cores = replace(costs, message=costs.message + hosts_share)
        self._a_message = all_cores.seconds_a_message(scenario.cores, scenario.nic)
        self._requests: deque[_Host] = deque()
        self._to_read: deque[tuple[_Host, int]] = deque()
        self._to_deliver: deque[tuple[_Host, int]] = deque()
        self._reading = self._delivering = False
        self._events: list[tuple[float, int, Happens, _Host, int]] = []
        self._numbers = count()
        self.load = Load()

    def serve(self, hosts: list[_Host]) -> Load:
        for host in hosts:
            self._ask(host.starts, host)
        while self._events:
            now, _, happens, host, size = heapq.heappop(self._events)
            happens(now, host, size)
        return self.load

    def _at(self, time: float, happens: Happens, host: _Host, size: int = 0) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), happens, host, size))

    # -- the store ------------------------------------------------------------------------------

    def _ask(self, now: float, host: _Host) -> None:
        host.asked = now
        self._at(now + self._half_trip, self._asked, host)

    def _asked(self, now: float, host: _Host, _: int) -> None:
        self._requests.append(host)
        self._use_store(now)

    def _use_store(self, now: float) -> None:
        if self._reading:
            return
        if self._requests:
            host = self._requests.popleft()
            takes = host.requests.pop(0)
            self._reading = True
            self.load.add(now, takes, takes, 0.0)
            self._at(now + takes, self._answered, host)
        elif self._to_read:
            host, size = self._to_read.popleft()
            self._reading = True
            self._at(now + size * self._costs.store, self._read_from_store, host, size)

    def _answered(self, now: float, host: _Host, _: int) -> None:
        self._reading = False
        there = now + self._half_trip
        host.longest_wait = max(host.longest_wait, there - host.asked)
        if host.requests:
            self._ask(there, host)
        else:
            host.heard = host.read_until = there
            self._send(host)
            if not host.left and not host.sending:
                self._end(there, host)
        self._use_store(now)

    def _send(self, host: _Host) -> None:
        """Let the consumer take its next chunk, if its window is open."""
        if host.left and not host.sending and host.on_the_way <= host.window:
            size = min(CHUNK, host.left)
            host.left -= size
            host.sending = True
            self._to_read.append((host, size))

    def _read_from_store(self, now: float, host: _Host, size: int) -> None:
        self._reading = False
        self._at(now + size * (self._costs.consumer - self._costs.store), self._sent, host, size)
        self._use_store(now)

    # -- the stream's loop ----------------------------------------------------------------------

    def _sent(self, now: float, host: _Host, size: int) -> None:
        host.sending = False
        weight = size * self._costs.wire
        host.on_the_way += weight
        self.load.on_the_way += weight
        self.load.most_on_the_way = max(self.load.most_on_the_way, self.load.on_the_way)
        self._to_deliver.append((host, size))
        self._send(host)
        self._use_store(now)
        self._deliver(now)

    def _deliver(self, now: float) -> None:
        if self._delivering or not self._to_deliver:
            return
        host, size = self._to_deliver.popleft()
        takes = size * self._a_message
        self._delivering = True
        self.load.add(now, takes, size * self._costs.message, size * self._costs.wire)
        self._at(now + takes, self._delivered, host, size)

    def _delivered(self, now: float, host: _Host, size: int) -> None:
        self._delivering = False
        arrives = now + self._half_trip
        host.longest_silence = max(host.longest_silence, arrives - host.heard)
        host.heard = arrives
        host.read_until = max(arrives, host.read_until) + size * self._costs.client
        self._at(host.read_until + self._half_trip, self._given_back, host, size)
        self._deliver(now)

    def _given_back(self, now: float, host: _Host, size: int) -> None:
        weight = size * self._costs.wire
        host.on_the_way -= weight
        self.load.on_the_way -= weight
        host.given_back += weight
        if host.given_back > host.window / 2 and host.window < WINDOW_LIMIT:
            host.window, host.given_back = 2 * host.window, 0.0
        self._send(host)
        self._use_store(now)
        if not host.left and not host.sending and host.on_the_way < 1:
            self._end(host.read_until, host)

    def _end(self, now: float, host: _Host) -> None:
        host.ready = now + self._scenario.keys * self._costs.decode


def curve(outcome: Outcome, points: int = 100) -> Iterator[tuple[float, float]]:
    """Yield when which share of the hosts was ready."""
    count = len(outcome.ready)
    for point in range(points + 1):
        place = min(count - 1, max(0, round(point / points * count) - 1))
        yield round(outcome.ready[place], 3), round((place + 1) / count, 4)
