"""The coverage page: every kind of request × the simulator and each server version.

python -m tests.agreement.coverage   # rewrites the page from the last long run's report and the simulator's routes
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lattice_store_sim._core._profile import PROFILES, ServerProfile
from lattice_store_sim._wire import _cluster
from lattice_store_sim._wire._api import ROUTES

_DOCS: Final = Path(__file__).parents[2] / "docs/reference"
REPORT: Final = _DOCS / "agreement.json"
PAGE: Final = _DOCS / "coverage.md"

_UNANSWERED: Final = (
    "META.LEADER.STEPDOWN",
    "META.RESCUE",
    "SERVER.REMOVE",
    "SERVER.EVACUATE",
    "ACCOUNT.STREAM.MOVE",
    "ACCOUNT.STREAM.CANCEL_MOVE",
)
"""Requests for a cluster's system account: a lone server leaves them unanswered, and so does the simulator."""
_OUTSIDE: Final = {
    "publish": "a message on a stream's subject, or on nobody's",
    "ack": "acks (`$JS.ACK.>`) and answers to flow control (`$JS.FC.>`)",
}
_NOT_SENT: Final = {"`$JS.EVENT.ADVISORY.>`, `$JS.EVENT.METRIC.>`": "advisories and metrics are not sent"}

_HEAD: Final = """# What is simulated, and compared

Every kind of request that a nats-server of these versions knows, and how many of them the agreement run compared on each
version ({date}, {machine}). Written by `python -m tests.agreement.coverage` from the report of `make agreement` and from the
simulator's own routes; a test fails when it is out of date.

- a number: so many were sent to the simulator and to that server, and compared; what differs stands in [agreement](agreement.md);
- **0**: simulated, and not compared by the agreement run;
- –: that version does not know the request and leaves it unanswered, and so does the simulator with its profile;
- *not simulated*: the simulator raises `NotSimulatedError` with the request's subject.
"""


def page(report: Mapping[str, Any]) -> str:
    """Return the page that belongs to a report, as `Report.json` gives it."""
    sent: dict[str, Counter[str]] = {}
    for cell in report["cells"]:
        sent.setdefault(cell["version"], Counter()).update(cell["sent"])
    versions = [profile.version for profile in PROFILES.values()]
    rows = [_row(f"`$JS.API.{kind}`", kind, sent) for kind in sorted({route.words for route in ROUTES})]
    rows += [_row(f"`$JS.API.{kind}`", kind, sent, unanswered=True) for kind in _UNANSWERED]
    rows += [_row(text, kind, sent) for kind, text in _OUTSIDE.items()]
    rows += [[text, f"*not simulated*: {why}", *["" for _ in versions]] for text, why in _NOT_SENT.items()]
    lines = [["request", "simulator", *versions], ["---"] * (len(versions) + 2), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{_HEAD.format(date=report['date'], machine=report['machine'])}\n{table}\n"


def _row(text: str, kind: str, sent: Mapping[str, Counter[str]], *, unanswered: bool = False) -> list[str]:
    handlers = {route.handler for route in ROUTES if route.words == kind}
    if handlers == {_cluster.not_simulated}:
        simulator = "*not simulated*"
    elif handlers == {_cluster.needs_cluster}:
        simulator = "refuses, as a lone server does (10010)"
    else:
        simulator = "unanswered, as by a lone server" if unanswered else "yes"
    cells = []
    for profile in PROFILES.values():
        counted = sent.get(profile.version, Counter())[kind]
        cells.append(f"{counted:,}" if counted else _uncounted(kind, profile, simulator))
    return [text, simulator, *cells]


def _uncounted(kind: str, profile: ServerProfile, simulator: str) -> str:
    routes = [route for route in ROUTES if route.words == kind]
    if (routes and not any(route.offered(profile) for route in routes)) or simulator.startswith("unanswered"):
        return "–"
    return "" if simulator == "*not simulated*" else "**0**"


def main() -> None:
    PAGE.write_text(page(json.loads(REPORT.read_text())))


if __name__ == "__main__":
    main()
