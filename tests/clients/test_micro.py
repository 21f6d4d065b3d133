"""Services by nats.micro."""

import json

import nats.errors
import pytest
from nats import micro
from nats.micro.request import ServiceError
from nats.micro.service import EndpointConfig, GroupConfig, ServiceConfig, ServiceInfo, ServicePing, ServiceStats

from tests.clients.running import settle

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


async def echo(request):
    await request.respond(request.data)


@pytest.fixture
async def service(nc):
    made = await micro.add_service(nc, name="adder", version="1.2.3", description="adds", metadata={"a": "b"})
    await made.add_endpoint(name="echo", handler=echo)
    yield made
    await made.stop()


async def test_an_endpoint_answers(nc, service):
    assert (await nc.request("echo", b"hello")).data == b"hello"


@pytest.mark.parametrize("path", ["", ".adder", ".adder.{id}"])
async def test_who_is_there(nc, service, path):
    path = path.format(id=service.id)
    ping = ServicePing.from_dict(json.loads((await nc.request(f"$SRV.PING{path}")).data))
    assert (ping.id, ping.name, ping.version, ping.metadata) == (service.id, "adder", "1.2.3", {"a": "b"})
    info = ServiceInfo.from_dict(json.loads((await nc.request(f"$SRV.INFO{path}")).data))
    assert (info.description, info.type) == ("adds", "io.nats.micro.v1.info_response")
    assert [(one.name, one.subject, one.queue_group) for one in info.endpoints] == [("echo", "echo", "q")]
    stats = ServiceStats.from_dict(json.loads((await nc.request(f"$SRV.STATS{path}")).data))
    assert [(one.name, one.num_requests, one.num_errors) for one in stats.endpoints] == [("echo", 0, 0)]


@pytest.mark.parametrize("path", [".other", ".adder.none"])
async def test_who_is_not_there(nc, service, path):
    with pytest.raises(nats.errors.NoRespondersError):
        await nc.request(f"$SRV.PING{path}", timeout=2)


async def test_statistics(nc, service):
    for _ in range(3):
        await nc.request("echo", b"x")
    (endpoint,) = service.stats().endpoints
    assert (endpoint.num_requests, endpoint.num_errors, endpoint.last_error) == (3, 0, None)
    assert endpoint.processing_time > 0


async def test_errors(nc, service):
    async def fail(request):
        raise ServiceError("400", "no such thing")

    async def crash(request):
        raise ValueError("oops")

    async def refuse(request):
        await request.respond_error("418", "teapot", data=b"body", headers={"x": "y"})

    for name, handler in (("fail", fail), ("crash", crash), ("refuse", refuse)):
        await service.add_endpoint(name=name, handler=handler)
    await settle(nc)
    answer = await nc.request("fail")
    assert answer.headers == {"Nats-Service-Error": "no such thing", "Nats-Service-Error-Code": "400"}
    assert (await nc.request("crash")).headers["Nats-Service-Error-Code"] == "500"
    answer = await nc.request("refuse")
    assert (answer.data, answer.headers["x"], answer.headers["Nats-Service-Error-Code"]) == (b"body", "y", "418")
    errors = {one.name: one.num_errors for one in service.stats().endpoints}
    assert errors == {"echo": 0, "fail": 1, "crash": 1, "refuse": 0}


async def test_groups(nc, service):
    group = service.add_group(name="v1", queue_group="special")
    await group.add_endpoint(name="one", handler=echo)
    await group.add_group(GroupConfig(name="deep")).add_endpoint(
        EndpointConfig(name="two", handler=echo, subject="a.*.b", metadata={"k": "v"})
    )
    await settle(nc)
    assert (await nc.request("v1.one", b"1")).data == b"1"
    assert (await nc.request("v1.deep.a.x.b", b"2")).data == b"2"
    infos = {one.name: one for one in service.info().endpoints}
    assert (infos["one"].subject, infos["one"].queue_group) == ("v1.one", "special")
    assert (infos["two"].subject, infos["two"].metadata) == ("v1.deep.a.*.b", {"k": "v"})


async def test_several_instances_share_the_work(server, connect, nc):
    services = []
    for _ in range(3):
        client = await connect(server.url)
        made = await micro.add_service(client, ServiceConfig(name="pool", version="0.0.1", queue_group="w"))
        await made.add_endpoint(name="work", handler=echo)
        await settle(client)
        services.append(made)
    for number in range(60):
        assert (await nc.request("work", b"%d" % number)).data == b"%d" % number
    counts = [one.stats().endpoints[0].num_requests for one in services]
    assert sum(counts) == 60
    assert all(counts)
    inbox = await nc.subscribe(nc.new_inbox())
    await nc.publish("$SRV.PING.pool", reply=inbox.subject)
    assert {json.loads((await inbox.next_msg()).data)["id"] for _ in range(3)} == {one.id for one in services}


async def test_a_stopped_service(nc):
    async with await micro.add_service(nc, name="brief", version="1.0.0") as service:
        await service.add_endpoint(name="e", handler=echo)
        assert (await nc.request("e", b"x")).data == b"x"
    assert service.stopped.is_set()
    await settle(nc)
    for subject in ("e", "$SRV.PING.brief"):
        with pytest.raises(nats.errors.NoRespondersError):
            await nc.request(subject, timeout=2)


async def test_statistics_of_ones_own(nc):
    service = await micro.add_service(
        nc, name="own", version="1.0.0", stats_handler=lambda endpoint: {"name": endpoint.name}
    )
    await service.add_endpoint(name="e", handler=echo)
    stats = json.loads((await nc.request("$SRV.STATS.own")).data)
    assert stats["endpoints"][0]["data"] == {"name": "e"}
    await service.stop()


@pytest.mark.parametrize(
    "options", [{"name": ""}, {"name": "a b"}, {"version": "1"}, {"version": ""}, {"queue_group": "a b"}]
)
async def test_services_that_cannot_be(nc, options):
    with pytest.raises(ValueError):
        await micro.add_service(nc, **{"name": "n", "version": "1.0.0", **options})
