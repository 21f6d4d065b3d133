"""What happens when a thousand hosts restart at once against one lattice of a million keys, in virtual time.

Reads the measured costs (docs/reference/bench/costs.json), prints JSON lines: what was assumed, then

- ``"table": "scenario"``: one way to set things up, until when its hosts were ready and what the server did;
- ``"table": "size"``: the same for fewer hosts and keys, from which size on it matters;
- ``"table": "check"``: hosts of one machine, by the model and as they were measured.

The model and all that is assumed in it: ``restart_model.py``. Nothing sleeps; the same costs give the same lines.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from restart_model import CHUNK, WINDOW, WINDOW_LIMIT, Costs, Outcome, Scenario, curve, simulate

COSTS = Path(__file__).parent.parent / "docs" / "reference" / "bench" / "costs.json"
CHANGED = 0.01
COLD, WARM = Scenario(name="cold"), Scenario(name="warm", changed=CHANGED)
HOSTS, KEYS = (10, 100, 1000), (1_000, 10_000, 100_000, 1_000_000)


def costs_of(measured: dict[str, Any]) -> Costs:
    """Take the costs of the largest lattice in memory that was measured."""
    size = max((each for each in measured["sizes"] if each["storage"] == "memory"), key=lambda each: each["keys"])
    keys, cold, asked = size["keys"], size["cold"], size["requests"]
    count_all = asked["last_per_subject_ms"] / 1e3 / keys
    message = (cold["server_cpu_s"] - count_all * keys) / keys
    shares = measured["loops"]["shares"]
    return Costs(
        message=message,
        stream=message * shares["stream"],
        store=message * shares["store"],
        consumer=message * (shares["store"] + shares["consumers"]),
        client=cold["client_cpu_s"] / keys,
        decode=size["decode_client_cpu_s"] / keys,
        wire=cold["received_bytes"] / keys,
        count_all=count_all,
        count_new=asked["from_sequence_ms"] / 1e3 / keys,
        request=asked["info_ms"] / 1e3,
        cold_requests=sum(cold["requests"].values()) - 1,  # to delete the consumer is for later
        warm_requests=sum(size["warm"]["requests"].values()) - 2,
    )


def scenarios() -> Iterator[Scenario]:
    """Yield what is compared: each line differs from ``cold`` or ``warm`` in what its name says."""
    yield COLD
    for jitter in (600.0, 1800.0):
        yield replace(COLD, name=f"cold, jitter {jitter:.0f} s", jitter=jitter)
    for mirrors in (4, 16):
        yield replace(COLD, name=f"cold, {mirrors} mirrors", servers=mirrors)
    for replicas in (3, 5):
        yield replace(COLD, name=f"cold, R{replicas}", servers=replicas, by_chance=True)
    yield replace(COLD, name="cold, 16 cores", cores=16)
    yield replace(COLD, name="cold, 1 Gbit/s", nic=1e9 / 8)
    yield WARM
    for jitter in (60.0, 600.0):
        yield replace(WARM, name=f"warm, jitter {jitter:.0f} s", jitter=jitter)
    for mirrors in (4, 16):
        yield replace(WARM, name=f"warm, {mirrors} mirrors", servers=mirrors)
    for replicas in (3, 5):
        yield replace(WARM, name=f"warm, R{replicas}", servers=replicas, by_chance=True)
    yield replace(WARM, name="warm, 4 mirrors, jitter 60 s", servers=4, jitter=60.0)


def sizes() -> Iterator[Scenario]:
    for start in (COLD, WARM):
        for hosts in HOSTS:
            for keys in KEYS:
                yield replace(start, hosts=hosts, keys=keys)


def checks(measured: dict[str, Any], costs: Costs) -> Iterator[dict[str, Any]]:
    """Yield what the model says of hosts that share their machine with the server, beside what was measured."""
    for run in measured["together"]:
        scenario = Scenario(
            name="check",
            hosts=run["clients"],
            keys=run["keys"],
            cores=measured["machine"]["cores"],
            nic=float("inf"),
            round_trip=0.0,
            shared_cores=True,
        )
        own = replace(costs, decode=0.0)  # the hosts that were measured had not decoded yet
        model = simulate(scenario, own, seed=0)
        yield {
            "table": "check",
            "hosts": run["clients"],
            "keys": run["keys"],
            "last_s": round(model.last, 4),
            "measured_last_s": run["last_s"],
            "measured_in_the_model": round(run["last_s"] / model.last, 2),
            "on_the_way_mb": model.row()["on_the_way_mb"],
            "server_grew_mb": run["server_grew_mb"],
            "load_before": run["load_before"],
        }


def row(table: str, outcome: Outcome) -> dict[str, Any]:
    return {"table": table, **outcome.row()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--costs", type=Path, default=COSTS)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--hosts", type=int, help="so many hosts instead of a thousand")
    parser.add_argument("--keys", type=int, help="so many keys instead of a million")
    options = parser.parse_args()
    measured = json.loads(options.costs.read_text())
    costs = costs_of(measured)
    wanted = {name: value for name in ("hosts", "keys") if (value := getattr(options, name)) is not None}
    settings = {
        "hosts": wanted.get("hosts", COLD.hosts),
        "keys": wanted.get("keys", COLD.keys),
        "seed": options.seed,
        "cores": COLD.cores,
        "gbit": COLD.nic * 8 / 1e9,
        "round_trip_s": COLD.round_trip,
        "changed": CHANGED,
        "chunk": CHUNK,
        "window": [WINDOW, WINDOW_LIMIT],
        "costs": vars(costs),
    }
    head = {name: measured[name] for name in ("measured", "machine", "versions")}
    print(json.dumps({**head, "settings": settings}))
    for scenario in scenarios():
        outcome = simulate(replace(scenario, **wanted), costs, options.seed)
        print(json.dumps({**row("scenario", outcome), "ready": list(curve(outcome))}), flush=True)
    for scenario in sizes():
        if not wanted or scenario.hosts * scenario.keys <= settings["hosts"] * settings["keys"]:
            print(json.dumps(row("size", simulate(scenario, costs, options.seed))), flush=True)
    for each in checks(measured, costs):
        print(json.dumps(each), flush=True)


if __name__ == "__main__":
    sys.exit(main())
