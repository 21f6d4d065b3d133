"""The host's tests: on the simulator unless --lattice-backend says otherwise."""

import asyncio

import pytest
from host import Host, LinkTakenError

from lattice_store import Claims, Lattice, LinkDefinition, OciReference, StreamConfig

ECHO = Claims(public_key="MECHO", issuer="AISSUER", name="Echo", call_alias="examples/echo")
IMAGE = OciReference(oci_url="registry.example/echo:0.3.0", public_key="MECHO")
REDIS = LinkDefinition(actor_id="MECHO", contract_id="wasmcloud:keyvalue", provider_id="VREDIS")
VAULT = LinkDefinition(actor_id="MECHO", contract_id="wasmcloud:keyvalue", provider_id="VVAULT")


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


# -- on any backend -----------------------------------------------------------------------------------


async def test_it_resolves_call_aliases(lattice):
    async with Host.running(lattice) as host:
        assert host.actor("examples/echo") is None
        await lattice.put(ECHO)
        assert host.actor("examples/echo") == "MECHO"


async def test_it_looks_images_up(lattice):
    await lattice.put(IMAGE)
    async with Host.running(lattice) as host:
        assert host.image("registry.example/echo:0.3.0") == "MECHO"
        assert host.image("registry.example/other:1") is None


async def test_it_sees_what_other_hosts_do(lattice, lattice_storage):
    async with Host.running(lattice) as host:
        await Lattice(lattice_storage).put(IMAGE)
        await until(lambda: host.image(IMAGE.oci_url) == "MECHO")


async def test_it_updates_its_link_but_takes_no_other(lattice):
    async with Host.running(lattice) as host:
        await host.link(REDIS)
        revision = await host.link(REDIS)
        with pytest.raises(LinkTakenError, match="link MECHO wasmcloud:keyvalue default leads to VREDIS"):
            await host.link(VAULT)
    entry = await lattice.get(REDIS.key)
    assert (entry.record, entry.revision) == (REDIS, revision)


async def test_of_two_hosts_at_once_one_wins(lattice, lattice_storage):
    async with Host.running(lattice) as one, Host.running(Lattice(lattice_storage)) as two:
        results = await asyncio.gather(one.link(REDIS), two.link(VAULT), return_exceptions=True)
    assert {type(result) for result in results} == {int, LinkTakenError}
    assert len(await lattice.list(LinkDefinition)) == 1


# -- on the simulator: what would take an hour, or a server to restart -------------------------------


async def test_references_are_forgotten_after_an_hour(lattice_sim, lattice_storage):
    one_hour = StreamConfig(
        name="LATTICECACHE_default", subjects=["lc.default.>"], max_msgs_per_subject=1, max_age_ns=3600 * 10**9
    )
    await lattice_storage.create_stream(one_hour)  # made by an administrator before any host came
    lattice = Lattice(lattice_storage)
    await lattice.put(IMAGE)
    lattice_sim.clock.advance(3599)
    async with Host.running(lattice) as host:
        assert host.image(IMAGE.oci_url) == "MECHO"
    lattice_sim.clock.advance(1)
    async with Host.running(lattice) as host:
        assert host.image(IMAGE.oci_url) is None


async def test_it_notices_that_the_server_lost_its_memory(lattice_sim, lattice):
    async with Host.running(lattice) as host:
        await lattice.put(ECHO)
        lattice_sim.restart()
        await lattice.ensure()
        await until(lambda: host.actor("examples/echo") is None)
        await lattice.put(ECHO)
        await until(lambda: host.actor("examples/echo") == "MECHO")
