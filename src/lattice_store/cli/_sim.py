"""``sim serve``: the simulator as a server for any client. The work is done by `lattice_store_sim`."""

from __future__ import annotations

from typing import Annotated, Final

from cyclopts import App, Parameter

from lattice_store.cli._session import Session, SessionArgument
from lattice_store_sim import ServeOptions

sim: Final = App(
    name="sim",
    help="Run the simulator by itself.",
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    sort_key=90,
)
_DEFAULTS: Final = ServeOptions()


@sim.command
async def serve(*, options: Annotated[ServeOptions, Parameter(name="*")] = _DEFAULTS, session: SessionArgument) -> None:
    """Run a simulated nats-server with JetStream for clients in any language, until Ctrl-C or SIGTERM.

    The same without this command's extra: python -m lattice_store_sim
    """
    from lattice_store_sim import run_server  # the simulator itself: other verbs need not load it

    await run_server(options, lambda line: _say(session, line), session.warn)


def _say(session: Session, line: str) -> None:
    session.say([line])
    session.flush()
