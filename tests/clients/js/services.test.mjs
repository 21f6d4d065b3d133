// Services: endpoints, groups, what they tell of themselves, errors.
import { test } from "node:test";
import { headers } from "@nats-io/transport-node";
import { ServiceError, Svcm } from "@nats-io/services";
import { Server, assert, collect, connect, refused, until, within } from "./helpers.mjs";

const CONFIG = { name: "adder", version: "1.2.3", description: "adds", metadata: { a: "b" } };

async function service(t, config = CONFIG) {
  const server = await Server.start(t);
  const [nc, client] = [await connect(t, server), await connect(t, server)];
  const srv = await new Svcm(nc).add(config);
  return { server, nc, client, srv };
}

const add = (err, msg) => msg.respond(String(msg.string().split(" ").map(Number).reduce((a, b) => a + b)));
const asked = async (iterator) => collect(await iterator);

test("an endpoint by callback", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("sum", add);
  await nc.flush();
  assert.equal((await client.request("sum", "1 2 3")).string(), "6");
});

test("an endpoint by iterator", async (t) => {
  const { srv, nc, client } = await service(t);
  const requests = srv.addEndpoint("sum");
  (async () => {
    for await (const msg of requests) add(null, msg);
  })();
  await nc.flush();
  assert.equal((await client.request("sum", "1 2 3")).string(), "6");
});

test("an endpoint with a subject and metadata", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("sum", { handler: add, subject: "add.>", metadata: { x: "y" } });
  await nc.flush();
  assert.equal((await client.request("add.these.now", "1 2")).string(), "3");
  assert.deepEqual(srv.info().endpoints, [{ name: "sum", subject: "add.>", queue_group: "q", metadata: { x: "y" } }]);
});

test("groups", async (t) => {
  const { srv, nc, client } = await service(t);
  const group = srv.addGroup("math");
  group.addEndpoint("sum", add);
  group.addGroup("deep", "other").addEndpoint("sum", add);
  await nc.flush();
  for (const subject of ["math.sum", "math.deep.sum"]) assert.equal((await client.request(subject, "1 2")).string(), "3");
  assert.deepEqual(srv.info().endpoints.map(({ subject, queue_group }) => [subject, queue_group]), [["math.sum", "q"], ["math.deep.sum", "other"]]);
});

test("ping, info, stats", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("sum", add);
  await nc.flush();
  await client.request("sum", "1");
  const asking = new Svcm(client).client({ strategy: "stall", maxWait: 1000, stall: 150 });
  for (const args of [[], ["adder"], ["adder", srv.info().id]]) {
    const [ping] = await asked(asking.ping(...args));
    assert.deepEqual([ping.type, ping.name, ping.version, ping.id], ["io.nats.micro.v1.ping_response", "adder", "1.2.3", srv.info().id]);
    const [info] = await asked(asking.info(...args));
    assert.deepEqual([info.type, info.description, info.metadata, info.endpoints.length], ["io.nats.micro.v1.info_response", "adds", { a: "b" }, 1]);
    const [stats] = await asked(asking.stats(...args));
    assert.deepEqual([stats.type, stats.endpoints[0].num_requests, stats.endpoints[0].num_errors], ["io.nats.micro.v1.stats_response", 1, 0]);
  }
  await refused(asked(asking.ping("nobody")));
});

test("several instances share", async (t) => {
  const { nc, client } = await service(t);
  const counts = [0, 0, 0];
  for (const i of counts.keys()) {
    const srv = await new Svcm(nc).add({ name: "many", version: "1.0.0" });
    srv.addEndpoint("do", (_, msg) => (counts[i]++, msg.respond("")));
  }
  await nc.flush();
  await within(Promise.all(Array.from({ length: 90 }, () => client.request("do", "", { timeout: 3000 }))));
  assert.equal(counts.reduce((a, b) => a + b), 90);
  assert.ok(counts.every((count) => count > 5), String(counts));
  const pings = await asked(new Svcm(client).client({ strategy: "stall", maxWait: 1000, stall: 200 }).ping("many"));
  assert.equal(pings.length, 3);
});

test("errors", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("fail", (_, msg) => msg.respondError(418, "teapot", "data"));
  srv.addEndpoint("throw", () => {
    throw new ServiceError(411, "thrown");
  });
  await nc.flush();
  const msg = await client.request("fail");
  assert.equal(ServiceError.isServiceError(msg), true);
  const { code, message } = ServiceError.toServiceError(msg);
  assert.deepEqual([code, message, msg.string()], [418, "teapot", "data"]);
  const thrown = ServiceError.toServiceError(await client.request("throw"));
  assert.deepEqual([thrown.code, thrown.message], [411, "thrown"]);
  await until(async () => (await srv.stats()).endpoints[1].num_errors === 1);
  srv.reset();
  assert.deepEqual((await srv.stats()).endpoints.map((one) => one.num_requests), [0, 0]);
});

test("stats of one's own", async (t) => {
  const { srv } = await service(t, { ...CONFIG, statsHandler: () => Promise.resolve({ mine: 1 }) });
  srv.addEndpoint("sum", add);
  assert.deepEqual((await srv.stats()).endpoints[0].data, { mine: 1 });
});

test("a queue group of one's own, and none", async (t) => {
  const { srv } = await service(t, { ...CONFIG, queue: "mine" });
  srv.addEndpoint("sum", add);
  srv.addEndpoint("loose", { handler: add, queue: "" });
  assert.deepEqual(srv.info().endpoints[0].queue_group, "mine");
});

test("stop", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("sum", add);
  await nc.flush();
  assert.equal(await srv.stop(), null);
  assert.equal(srv.isStopped, true);
  await nc.flush();
  await until(() => client.request("sum", "1", { timeout: 200 }).then(() => false, (error) => error.isNoResponders?.()));
});

test("a service ends with its connection", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("sum", add);
  await nc.flush();
  await nc.close();
  await within(srv.stopped);
  await until(() => client.request("sum", "1", { timeout: 200 }).then(() => false, (error) => error.isNoResponders?.()));
});

for (const config of [
  { name: "a b", version: "1.0.0" },
  { name: "", version: "1.0.0" },
  { name: "a", version: "one" },
]) {
  test(`${JSON.stringify(config)} is no service`, async (t) => {
    const server = await Server.start(t);
    const nc = await connect(t, server);
    await refused((async () => new Svcm(nc).add(config))());
  });
}

test("headers of answers", async (t) => {
  const { srv, nc, client } = await service(t);
  srv.addEndpoint("h", (_, msg) => {
    const h = headers();
    h.set("k", msg.headers.get("k"));
    msg.respond("", { headers: h });
  });
  await nc.flush();
  const h = headers();
  h.set("k", "v");
  assert.equal((await client.request("h", "", { headers: h, timeout: 1000 })).headers.get("k"), "v");
});
