// What happens when the server goes and comes again.
import { test } from "node:test";
import { connect as natsConnect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Server, assert, collect, connect, first, refused, take, until, within } from "./helpers.mjs";

const type = (wanted) => (status) => status.type === wanted;

async function restart(nc, server) {
  const back = first(nc.status(), type("reconnect"));
  await server.stop();
  await server.start();
  return back;
}

test("subscriptions are there again", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const sub = nc.subscribe("a");
  await nc.flush();
  const { server: where } = await restart(nc, server);
  assert.equal(where, `127.0.0.1:${server.port}`);
  nc.publish("a", "after");
  assert.equal((await take(sub, 1))[0].string(), "after");
});

test("queue groups and limits of subscriptions are there again", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const [group, limited] = [nc.subscribe("a", { queue: "q" }), nc.subscribe("b", { max: 2 })];
  nc.publish("b", "0");
  await nc.flush();
  await restart(nc, server);
  nc.publish("a", "x");
  for (const data of ["1", "2"]) nc.publish("b", data);
  assert.equal((await take(group, 1)).length, 1);
  assert.deepEqual((await collect(limited)).map((msg) => msg.string()), ["0", "1"]);
});

test("what the client tells in between", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const seen = [];
  (async () => {
    for await (const status of nc.status()) seen.push(status.type);
  })();
  await restart(nc, server);
  await until(() => seen.includes("reconnect"));
  assert.equal(seen[0], "disconnect");
  assert.ok(seen.includes("reconnecting"));
  assert.equal(seen.at(-1), "reconnect");
});

test("no reconnect if it is not wanted", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server, { reconnect: false });
  await server.stop();
  await within(nc.closed());
  assert.equal(nc.isClosed(), true);
});

test("only so many attempts", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server, { maxReconnectAttempts: 2, reconnectTimeWait: 5, reconnectJitter: 0 });
  await server.stop();
  await within(nc.closed());
});

test("requests in flight are given up", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  nc.subscribe("mute", { callback() {} });
  const request = refused(nc.request("mute", "", { timeout: 4000 }));
  await nc.flush();
  await server.stop();
  await request;
  await server.start();
});

test("reconnect() by the client itself", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const sub = nc.subscribe("a");
  const id = nc.info.client_id;
  const back = first(nc.status(), type("reconnect"));
  await nc.reconnect();
  await back;
  assert.ok(nc.info.client_id > id);
  nc.publish("a");
  await take(sub, 1);
});

test("to another server of the list", async (t) => {
  const [one, two] = [await Server.start(t), await Server.start(t)];
  const nc = await natsConnect({ servers: [one.url, two.url], noRandomize: true, reconnectTimeWait: 20 });
  t.after(() => nc.close());
  assert.equal(nc.getServer(), `127.0.0.1:${one.port}`);
  const back = first(nc.status(), type("reconnect"));
  await one.stop();
  await back;
  assert.equal(nc.getServer(), `127.0.0.1:${two.port}`);
});

test("setServers", async (t) => {
  const [one, two] = [await Server.start(t), await Server.start(t)];
  const nc = await connect(t, one);
  nc.setServers([`127.0.0.1:${two.port}`]);
  const back = first(nc.status(), type("reconnect"));
  await nc.reconnect();
  await back;
  assert.equal(nc.getServer(), `127.0.0.1:${two.port}`);
});

test("waits for the first connection if asked to", async (t) => {
  const server = await Server.start(t);
  await server.stop();
  const connecting = natsConnect({ servers: server.url, waitOnFirstConnect: true, reconnectTimeWait: 20 });
  await server.start();
  const nc = await within(connecting);
  t.after(() => nc.close());
  await nc.flush();
});

test("streams on file outlast a restart, those in memory do not", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const [js, jsm] = [jetstream(nc), await jetstreamManager(nc)];
  await jsm.streams.add({ name: "FILE", subjects: ["f"] });
  await jsm.streams.add({ name: "MEMORY", subjects: ["m"], storage: "memory" });
  await jsm.consumers.add("FILE", { durable_name: "d", ack_policy: "explicit" });
  await js.publish("f", "1");
  await js.publish("m", "1");
  await restart(nc, server);
  assert.equal((await jsm.streams.getMessage("FILE", { seq: 1 })).string(), "1");
  assert.equal((await jsm.consumers.info("FILE", "d")).num_pending, 1);
  await refused(jsm.streams.info("MEMORY"), { name: "StreamNotFoundError" });
});

test("a pull consumer goes on", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const [js, jsm] = [jetstream(nc), await jetstreamManager(nc)];
  await jsm.streams.add({ name: "S", subjects: ["s"] });
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const messages = await (await js.consumers.get("S", "d")).consume();
  await js.publish("s", "1");
  const seen = [];
  (async () => {
    for await (const msg of messages) {
      msg.ack();
      seen.push(msg.string());
    }
  })();
  await until(() => seen.length === 1);
  await nc.flush();
  await restart(nc, server);
  await until(() => js.publish("s", "2").catch(() => null));
  await until(() => seen.includes("2"));
  await messages.close();
});

test("an ordered consumer goes on", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const [js, jsm] = [jetstream(nc), await jetstreamManager(nc)];
  await jsm.streams.add({ name: "S", subjects: ["s"] });
  for (const data of ["1", "2"]) await js.publish("s", data);
  const messages = await (await js.consumers.get("S")).consume({ expires: 1000 });
  const seen = [];
  (async () => {
    for await (const msg of messages) seen.push(msg.string());
  })();
  await until(() => seen.length === 2);
  await restart(nc, server);
  await until(() => js.publish("s", "3").catch(() => null));
  await until(() => seen.length === 3, "the third", 15_000);
  assert.deepEqual(seen, ["1", "2", "3"]);
  await messages.close();
});
