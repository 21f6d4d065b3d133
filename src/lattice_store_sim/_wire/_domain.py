"""The JetStream domain of a server: the subjects it can be spoken to by, and where it names it.

Source: nats-server jetstream_api.go, ``generateJSMappingTable``.
"""

from __future__ import annotations

from typing import Final

from lattice_store_sim._core._server import SimCore

_API: Final = ("STREAM.", "CONSUMER.", "DIRECT.", "META.", "SERVER.", "ACCOUNT.")
_BUCKETS: Final = ("$KV.", "$OBJ.")
_NOWHERE: Final[dict[str, str]] = {}


def domain_of(core: SimCore) -> dict[str, str]:
    """Return the field that says which domain an answer comes from; none where there is no domain."""
    return {"domain": core.context.domain} if core.context.domain else _NOWHERE


def without_domain(subject: str, domain: str) -> str:
    """Return what the server makes of a subject that names its domain; others stay as they are."""
    rest = subject.removeprefix(f"$JS.{domain}.API.")
    if rest == subject:
        return subject
    if rest == "INFO" or (rest.startswith(_API) and not rest.endswith(".")):
        return f"$JS.API.{rest}"
    return rest if rest.startswith(_BUCKETS) else subject
