"""Which JSON library? Decoding and encoding one recorded link definition, per call, interleaved.

`typed` is what the library does: decode into checked types, which the others leave to code of ours.

Run: ``python benchmarks/bench_json.py`` (JSON lines on stdout; needs orjson beside the test dependencies).
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import msgspec
import orjson

SAMPLES = json.loads((Path(__file__).parents[1] / "tests" / "data" / "wasmcloud-samples.json").read_text())
LINK: dict[str, Any] = SAMPLES["linkdefs"][0]["value"]
PAYLOAD = json.dumps(LINK).encode()
CALLS = 50_000
RUNS = 7


class Link(msgspec.Struct):
    actor_id: str
    contract_id: str
    link_name: str
    provider_id: str
    values: dict[str, str]
    deleted: bool = False


typed = msgspec.json.Decoder(Link)
PATHS = {
    "decode": {
        "json": lambda: json.loads(PAYLOAD),
        "orjson": lambda: orjson.loads(PAYLOAD),
        "msgspec": lambda: msgspec.json.decode(PAYLOAD),
        "msgspec typed": lambda: typed.decode(PAYLOAD),
    },
    "encode": {
        "json": lambda: json.dumps(LINK).encode(),
        "orjson": lambda: orjson.dumps(LINK),
        "msgspec": lambda: msgspec.json.encode(LINK),
    },
}


def main() -> None:
    print(
        json.dumps({"python": platform.python_version(), "msgspec": msgspec.__version__, "orjson": orjson.__version__})
    )
    for direction, paths in PATHS.items():
        taken: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(RUNS):
            for name, path in paths.items():
                started = time.perf_counter()
                for _ in range(CALLS):
                    path()
                taken[name].append((time.perf_counter() - started) / CALLS * 1e9)
        for name, times in taken.items():
            print(json.dumps({"direction": direction, "library": name, "median_ns": round(statistics.median(times)),
                              "min_ns": round(min(times)), "max_ns": round(max(times)), "runs": RUNS}))  # fmt: skip


if __name__ == "__main__":
    main()
