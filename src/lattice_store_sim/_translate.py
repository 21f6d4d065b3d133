"""The library's values to the core's and back: the core speaks the server's terms."""

from __future__ import annotations

from typing import Any

import msgspec

from lattice_store import wire
from lattice_store.model import StreamConfig, StreamInfo
from lattice_store_sim._core import _stream, _stream_config
from lattice_store_sim._core._profile import ServerProfile
from lattice_store_sim._wire._json import convert


def config_to_core(config: StreamConfig, profile: ServerProfile) -> _stream_config.StreamConfig:
    """Return *config* as a server would read it.

    Raises:
        ApiError: the server would not make sense of one of the settings in ``other``.
    """
    return convert(wire.config_to_wire(config), _stream_config.StreamConfig, profile)


def info_from_core(info: _stream.StreamInfo) -> StreamInfo:
    config: dict[str, Any] = msgspec.to_builtins(info.config)
    state = info.state
    if not state.messages and state.first_time_ns is not None:  # what a server up to 2.12 may leave there is not told
        state = msgspec.structs.replace(state, first_time_ns=None)
    return StreamInfo(config=wire.config_from_wire(config), created_ns=info.created_ns, state=state)
