"""The recorded values of tests/data/wasmcloud-samples.json; each names its source there."""

import json
from pathlib import Path

SAMPLES = json.loads((Path(__file__).parents[1] / "data" / "wasmcloud-samples.json").read_text())
CLAIMS = [each["value"] for each in SAMPLES["claims_cached"]]
LINKS = [each["value"] for each in SAMPLES["linkdefs"]]
REFERENCES = [(each["value"], each["computed_key"]) for each in SAMPLES["refmaps"]]
