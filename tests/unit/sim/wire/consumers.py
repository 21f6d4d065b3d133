"""Short ways to ask about consumers."""

from typing import Any

from tests.unit.sim.wire.wire import Wire

NO_STREAM = (404, 10059, "stream not found")
NO_CONSUMER = (404, 10014, "consumer not found")
NO_BODY_WANTED = (400, 10038, "expected an empty request payload")
FAR_AHEAD = "2033-05-18T03:33:20Z"


def put(wire: Wire, words: str, config: object = None, **options: object) -> Any:
    """Create or update a consumer of "S"."""
    return wire(f"CONSUMER.{words}", {"stream_name": "S", "config": config or {}, **options})


def refusal(wire: Wire, words: str, config: object = None, **options: object) -> tuple[int, int, str]:
    return wire.refusal(f"CONSUMER.{words}", {"stream_name": "S", "config": config or {}, **options})


def with_consumers(*names: str) -> Wire:
    """Return a server whose stream "S" has two messages and durable consumers that want acks."""
    wire = Wire.with_stream(tokens="ab")
    for name in names:
        put(wire, f"CREATE.S.{name}", {"durable_name": name, "ack_policy": "explicit"})
    return wire
