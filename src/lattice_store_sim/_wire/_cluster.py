"""Requests that only a cluster can serve, as a lone server refuses them; and those that are not simulated."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from lattice_store.errors import NotSimulatedError, api_error
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._core._server import SimCore
from lattice_store_sim._wire._routes import Request, Route


def needs_cluster(core: SimCore, request: Request, *names: str) -> dict[str, Any]:
    raise api_error(503, 10010, "JetStream clustering support required")


def not_simulated(core: SimCore, request: Request, *names: str) -> NoReturn:
    raise NotSimulatedError(f"the API request {request.subject} is not simulated")


def _has_evacuation(profile: ServerProfile) -> bool:
    return profile.evacuation


def _has_templates(profile: ServerProfile) -> bool:
    return profile.stream_templates


def _has_account_purge(profile: ServerProfile) -> bool:
    return profile.account_purge


ROUTES: Final = (
    Route("STREAM.PEER.REMOVE", 1, needs_cluster, "stream_remove_peer"),
    Route("STREAM.PEER.EVACUATE", 1, needs_cluster, "stream_evacuate_peer", offered=_has_evacuation),
    Route("STREAM.CANCEL_MOVE", 1, needs_cluster, "stream_cancel_move", offered=_has_evacuation),
    Route("STREAM.LEADER.STEPDOWN", 1, needs_cluster, "stream_leader_stepdown"),
    Route("CONSUMER.LEADER.STEPDOWN", 2, needs_cluster, "consumer_leader_stepdown"),
    Route("STREAM.SNAPSHOT", 1, not_simulated),
    Route("STREAM.RESTORE", 1, not_simulated),
    Route("STREAM.TEMPLATE.CREATE", 1, not_simulated, offered=_has_templates),
    Route("STREAM.TEMPLATE.NAMES", 0, not_simulated, offered=_has_templates),
    Route("STREAM.TEMPLATE.INFO", 1, not_simulated, offered=_has_templates),
    Route("STREAM.TEMPLATE.DELETE", 1, not_simulated, offered=_has_templates),
    Route("ACCOUNT.PURGE", 1, not_simulated, offered=_has_account_purge),
)
