"""What an administrator and a wasmCloud host do with plain NATS, seen from here and the other way round."""

import json

import pytest
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig

from lattice_store import (
    CaughtUp,
    Claims,
    ClaimsKey,
    EnsureOutcome,
    Lattice,
    LinkDefinition,
    LinkKey,
    OciReference,
    nats,
)
from tests.lattice.conftest import LIMITS
from tests.unit.samples import CLAIMS, LINKS, REFERENCES

pytestmark = pytest.mark.nats


@pytest.fixture
async def plain(nats_server):
    client = Client()
    await client.connect(nats_server.url)
    yield client
    await client.close()


@pytest.fixture
async def storage(nats_server):
    async with await nats.connect(nats_server.url, limits=LIMITS) as storage:
        yield storage


async def config_of(plain, stream):
    """The configuration as the server writes it: the very bytes."""
    answer = await plain.request(f"$JS.API.STREAM.INFO.{stream}", b"")
    info = json.loads(answer.data)
    start = answer.data.index(b'"config":') + len(b'"config":')
    config, _ = json.JSONDecoder().raw_decode(answer.data[start:].decode())
    assert config == info["config"]
    return answer.data[start : answer.data.index(b',"created":')], info["created"]


async def test_a_custom_stream_stays_the_same_to_the_byte(plain, storage, prefix):
    stream = f"LATTICECACHE_{prefix}"
    await plain.jetstream().add_stream(
        StreamConfig(
            name=stream,
            subjects=[f"lc.{prefix}.>"],
            description="made by the administrator",
            storage=StorageType.FILE,
            max_msgs_per_subject=3,
            max_bytes=10_000_000,
            max_age=86400,
            duplicate_window=30,
            allow_direct=True,
            metadata={"owner": "ops"},
        )
    )
    before = await config_of(plain, stream)
    lattice = Lattice(storage, prefix, limits=LIMITS)
    ensured = await lattice.ensure()
    assert ensured.outcome is EnsureOutcome.CUSTOM
    assert {difference.setting for difference in ensured.differences} == {
        "description", "storage", "max_msgs_per_subject", "max_bytes", "max_age_ns", "duplicate_window_ns",
        "allow_direct", "metadata",
    }  # fmt: skip
    claims = Claims(public_key="M1", issuer="A1")
    await lattice.put(claims)
    await lattice.put(Claims(public_key="M1", issuer="A1", name="again"))
    assert (await lattice.rebuild()).find(claims.key).record.name == "again"
    async with lattice.watch() as watch:
        async for event in watch:
            if isinstance(event, CaughtUp):
                break
    await lattice.remove(claims.key)
    assert await config_of(plain, stream) == before


async def test_what_a_host_publishes_is_read(plain, storage, prefix):
    """As host_core/jetstream/client.ex does: core publishes, no headers, no ack wanted."""
    lattice = Lattice(storage, prefix)
    await lattice.ensure()
    for value in CLAIMS:
        await plain.publish(f"lc.{prefix}.claims.{value['sub']}", json.dumps(value).encode())
    for value in LINKS:
        id_ = value.get("id", "123e4567-e89b-12d3-a456-426614174000")
        await plain.publish(f"lc.{prefix}.linkdefs.{id_}", json.dumps(value).encode())
    for value, token in REFERENCES:
        await plain.publish(f"lc.{prefix}.refmap.{token}", json.dumps(value).encode())
    await plain.flush()
    view = await lattice.rebuild()
    assert not view.corrupt
    read = {entry.record.name: entry.record for entry in view.claims.values()}
    assert read["kvcounter"].capabilities == ("wasmcloud:httpserver",)
    assert read["kvcounter"].rev == "1631624220"
    assert read["HTTP Server"].is_provider
    assert {entry.record.key for entry in view.links.values()} == {
        LinkKey(value["actor_id"], value["contract_id"], value["link_name"]) for value in LINKS
    }
    keyvalue = next(value for value in LINKS if value["contract_id"] == "wasmcloud:keyvalue")
    assert view.links[LinkKey(keyvalue["actor_id"], "wasmcloud:keyvalue")].record.values == keyvalue["values"]
    assert {entry.record.oci_url: entry.record.public_key for entry in view.oci_references.values()} == {
        value["oci_url"]: value["public_key"] for value, _ in REFERENCES
    }
    host_deletes = {**LINKS[0], "deleted": True}
    await plain.publish(f"lc.{prefix}.linkdefs.{LINKS[0]['id']}", json.dumps(host_deletes).encode())
    await plain.flush()
    key = LinkKey(LINKS[0]["actor_id"], LINKS[0]["contract_id"])
    assert key not in (await lattice.rebuild()).links


async def test_what_we_put_is_the_hosts_json_field_for_field(plain, storage, prefix):
    lattice = Lattice(storage, prefix)
    await lattice.ensure()
    recorded = CLAIMS[0]
    await lattice.put(
        Claims(
            public_key=recorded["sub"],
            issuer=recorded["iss"],
            name=recorded["name"],
            capabilities=["wasmcloud:httpserver"],
            rev=recorded["rev"],
            version=recorded["version"],
        )
    )
    link = LINKS[1]
    await lattice.put(
        LinkDefinition(
            actor_id=link["actor_id"],
            provider_id=link["provider_id"],
            contract_id=link["contract_id"],
            values=link["values"],
        )
    )
    reference, token = REFERENCES[0]
    await lattice.put(OciReference(oci_url=reference["oci_url"], public_key=reference["public_key"]))

    async def stored(tail):
        message = await plain.jetstream().get_last_msg(lattice.stream, f"lc.{prefix}.{tail}")
        assert message.headers is None
        return message.subject, json.loads(message.data)

    assert (await stored(f"claims.{recorded['sub']}"))[1] == recorded
    assert (await stored(f"refmap.{token}"))[1] == reference
    subject, body = await stored("linkdefs.*")
    assert body == {**link, "id": subject.rpartition(".")[2], "deleted": False}
    await lattice.remove(ClaimsKey(recorded["sub"]))
    assert (await stored(f"claims.{recorded['sub']}"))[1] == {**recorded, "deleted": True}
