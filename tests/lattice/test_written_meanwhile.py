"""A rebuild of a stream that is written while it is read: what replaces a message before its turn lies further on."""

import asyncio

from hypothesis import example, given
from hypothesis import strategies as st

from lattice_store import Claims, ClaimsKey, Lattice
from lattice_store.limits import Limits
from lattice_store_sim import SimStorage

KEYS = 12


def claims(number):
    return Claims(public_key=f"M{number}", issuer="A1", name=f"written {number}")


async def rebuilt(room, written, *, eager):
    """Rebuild with *room* messages of buffer; after each batch comes the next of *written*, the numbers of records."""
    storage = SimStorage(limits=Limits(replay_buffer=room))
    lattice = Lattice(storage, "p")
    await lattice.ensure()
    for number in range(KEYS):
        await lattice.put(claims(number))
    server, plan = storage.server, iter(written)

    def write(_done, _pending):
        for number in next(plan, ()):
            payload = b'{"sub":"M%d","iss":"A1","name":"again"}' % number
            server._core.publish(f"lc.p.claims.M{number}", payload, now_ns=server.clock.now_ns())
        server._tell_all_replays()

    return await lattice.rebuild(progress=write, eager=eager)


writes = st.lists(st.lists(st.integers(0, KEYS), max_size=15), max_size=8)
"""One number more than there are records: it is new."""


@given(st.integers(1, 5), writes, st.booleans())
@example(room=2, written=[list(range(KEYS))] * 3, eager=False)
@example(room=2, written=[list(range(KEYS))] * 3, eager=True)
def test_no_record_that_was_there_all_the_time_is_missing(room, written, eager):
    view = asyncio.run(rebuilt(room, written, eager=eager))
    assert {ClaimsKey(f"M{number}") for number in range(KEYS)} <= set(view.claims)
