"""``watch``: following a lattice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

from lattice_store._watch import CaughtUp
from lattice_store.cli._connection import Connection
from lattice_store.cli._present import KINDS, event_json, event_line
from lattice_store.cli._read import HERE, KindsArgument
from lattice_store.cli._session import OutputForm, SessionArgument
from lattice_store.cli._text import escaped
from lattice_store.signals import heeded_signals


async def watch(
    kind: KindsArgument | None = None,
    /,
    *,
    until_caught_up: Annotated[bool, Parameter(negative=())] = False,
    at: Connection = HERE,
    output: OutputForm = "table",
    show_values: bool = False,
    session: SessionArgument,
) -> None:
    """Print every record, then every change as it comes, until Ctrl-C or SIGTERM.

    JSON events have a type: put, removed, corrupt, caught_up (all that was there has been printed) or reset
    (the stream was lost or replaced: differences follow, then another caught_up).

    Parameters
    ----------
    kind
        Only this kind.
    until_caught_up
        End when all that was there at the beginning has been printed.
    output
        json is indented, jsonl one event a line.
    show_values
        Show the values of links, which often hold secrets.
    """
    kinds = () if kind is None else (KINDS[kind],)
    live = False
    with _ended_by_signals():
        async with at.opened(session) as (_, lattice), lattice.watch(*kinds) as events:
            async for event in events:
                if output == "table":
                    session.say([escaped(event_line(event, show_values=show_values))])
                else:
                    session.say_json(event_json(event, show_values=show_values), output)
                live = live or isinstance(event, CaughtUp)
                if live:  # the first snapshot is written in large pieces
                    session.flush()
                    if until_caught_up:
                        return


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Leave the block in good order on Ctrl-C and SIGTERM: that is how a watch ends."""
    task = asyncio.current_task()
    assert task is not None
    received: list[None] = []

    def end() -> None:
        received.append(None)
        task.cancel()

    with heeded_signals(end):
        try:
            yield
        except asyncio.CancelledError:
            if not received:
                raise
            task.uncancel()
