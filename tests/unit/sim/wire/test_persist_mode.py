"""Streams that are written behind the ack: what a client sees of them is their configuration (2.15.1)."""

import pytest

from tests.unit.sim.wire.wire import Wire


@pytest.mark.parametrize(("mode", "shown"), [("async", "async"), ("default", None), ("", None)])
def test_the_mode_is_shown(mode, shown):
    wire = Wire.with_stream(storage="file", persist_mode=mode)
    assert wire("STREAM.INFO.S")["config"].get("persist_mode") == shown
    wire.publish("a")
    assert wire("STREAM.INFO.S")["state"]["messages"] == 1
