// Connecting, what the server says of itself, and the ends of connections.
import { test } from "node:test";
import { connect as natsConnect, headers } from "@nats-io/transport-node";
import { Server, assert, begin, collect, connect, first, refused, take, until, within } from "./helpers.mjs";

test("INFO says what the server is", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const { info } = nc;
  assert.match(info.version, /^2\.15\.1$/);
  assert.match(info.server_id, /^N[A-Z2-7]{55}$/);
  assert.equal(typeof info.server_name, "string");
  assert.equal(info.port, server.port);
  assert.deepEqual(
    [info.headers, info.jetstream, info.max_payload, info.proto, info.auth_required, info.tls_required, info.nonce],
    [true, true, 1048576, 1, undefined, undefined, undefined],
  );
  assert.equal(info.client_ip, "127.0.0.1");
  assert.ok(info.client_id >= 1);
  assert.ok(info.api_lvl >= 3, `api_lvl is ${info.api_lvl}`);
  assert.match(info.xkey ?? "X", /^X/);
});

test("clients are numbered", async (t) => {
  const server = await Server.start(t);
  const [a, b] = [await connect(t, server), await connect(t, server)];
  assert.equal(b.info.client_id, a.info.client_id + 1);
  assert.equal(a.info.server_id, b.info.server_id);
});

test("getServer, getServers and server version", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  assert.equal(nc.getServer(), `127.0.0.1:${server.port}`);
  assert.deepEqual(nc.getServers().map((one) => one.listen), [`127.0.0.1:${server.port}`]);
  assert.equal(nc.protocol.info.version, nc.info.version);
});

for (const options of [
  { name: "me" },
  { verbose: true },
  { pedantic: true },
  { verbose: true, pedantic: true, name: "both" },
  { noRandomize: true, ignoreClusterUpdates: true },
  { port: undefined, debug: false },
]) {
  test(`publishes and requests when connected with ${JSON.stringify(options)}`, async (t) => {
    const server = await Server.start(t);
    const nc = await connect(t, server, options);
    const sub = nc.subscribe("a", { callback: (_, msg) => msg.respond(msg.data) });
    await nc.flush();
    assert.equal((await nc.request("a", "hello")).string(), "hello");
    sub.unsubscribe();
    await nc.flush();
    assert.equal((await refused(nc.request("a"), { name: "RequestError" })).isNoResponders(), true);
  });
}

test("several servers of which one is there", async (t) => {
  const server = await Server.start(t);
  const nc = await natsConnect({ servers: ["127.0.0.1:1", `127.0.0.1:${server.port}`], noRandomize: true });
  t.after(() => nc.close());
  assert.equal(nc.getServer(), `127.0.0.1:${server.port}`);
});

test("no server", async () => {
  await refused(natsConnect({ servers: "127.0.0.1:1", reconnect: false }), { name: "ConnectionError" });
});

test("localhost by name", async (t) => {
  const server = await Server.start(t);
  const nc = await natsConnect({ servers: `localhost:${server.port}`, timeout: 4000 });
  t.after(() => nc.close());
  await nc.flush();
});

test("rtt", async (t) => {
  const { nc } = await begin(t);
  const rtt = await nc.rtt();
  assert.ok(rtt >= 0 && rtt < 1000, String(rtt));
});

test("flush comes back once the server has taken what was sent", async (t) => {
  const server = await Server.start(t);
  const [a, b] = [await connect(t, server), await connect(t, server)];
  const sub = a.subscribe("x");
  await a.flush();
  b.publish("x", "1");
  await b.flush();
  await a.flush();
  assert.equal(sub.getReceived(), 1);
});

test("statistics count what goes and comes", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  nc.subscribe("a", { callback() {} });
  nc.publish("a", "12345");
  nc.publish("b", "123");
  await nc.flush();
  const { inMsgs, inBytes, outMsgs, outBytes } = nc.stats();
  assert.deepEqual([inMsgs, inBytes, outMsgs, outBytes], [1, 5, 2, 8]);
});

test("statistics with headers count the payload's and the headers' bytes", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  nc.subscribe("a", { callback() {} });
  const h = headers();
  h.set("k", "v");
  nc.publish("a", "12345", { headers: h });
  await nc.flush();
  const block = h.encode().length;
  const { inMsgs, inBytes, outMsgs, outBytes } = nc.stats();
  assert.deepEqual([inMsgs, outMsgs], [1, 1]);
  assert.equal(inBytes, 5 + block);
  assert.equal(outBytes, 5 + block);
});

test("close ends the connection and its iterators", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const sub = nc.subscribe("a");
  const ended = collect(sub);
  await nc.close();
  assert.deepEqual(await ended, []);
  assert.equal(await nc.closed(), undefined);
  assert.equal(nc.isClosed(), true);
  assert.throws(() => nc.publish("a"), { name: "ClosedConnectionError" });
  assert.throws(() => nc.subscribe("a"), { name: "ClosedConnectionError" });
  await refused(nc.request("a"), { name: "ClosedConnectionError" });
  await refused(nc.flush(), { name: "ClosedConnectionError" });
});

test("drain hands out what is there, then closes", async (t) => {
  const server = await Server.start(t);
  const [nc, other] = [await connect(t, server), await connect(t, server)];
  const sub = nc.subscribe("a.>");
  const all = collect(sub);
  await nc.flush();
  for (let i = 0; i < 100; i++) other.publish(`a.${i}`, String(i));
  await other.flush();
  await nc.drain();
  assert.equal((await all).length, 100);
  assert.equal(nc.isClosed(), true);
});

test("drain sends what was published last", async (t) => {
  const server = await Server.start(t);
  const [nc, other] = [await connect(t, server), await connect(t, server)];
  const sub = other.subscribe("a");
  await other.flush();
  nc.publish("a", "last");
  await nc.drain();
  assert.equal((await take(sub, 1))[0].string(), "last");
});

test("while it drains nothing new may be asked for", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  nc.subscribe("a");
  const done = nc.drain();
  assert.equal(nc.isDraining(), true);
  assert.throws(() => nc.subscribe("b"), { name: "DrainingConnectionError" });
  await refused(nc.drain(), { name: "DrainingConnectionError" });
  await done;
});

test("a subscription drains on its own", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const sub = nc.subscribe("a");
  const all = collect(sub);
  for (let i = 0; i < 10; i++) nc.publish("a", String(i));
  await sub.drain();
  assert.deepEqual((await all).map((msg) => msg.string()), [..."0123456789"]);
  assert.equal(sub.isClosed(), true);
  assert.equal(nc.isClosed(), false);
  await nc.flush();
});

test("the status iterator tells that the connection closes", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const closes = first(nc.status(), ({ type }) => type === "close");
  await nc.close();
  assert.deepEqual(await closes, { type: "close" });
});

test("the client asks whether the server is there, and is answered", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server, { pingInterval: 30 });
  const pings = await take(
    (async function* () {
      for await (const status of nc.status()) if (status.type === "ping") yield status;
    })(),
    4,
  );
  assert.ok(pings.every(({ pendingPings }) => pendingPings <= 1), JSON.stringify(pings));
  assert.equal(nc.isClosed(), false);
});

test("the server asks whether the client is there", async (t) => {
  const server = await Server.start(t, { limits: { ping_interval_ns: 50_000_000 } });
  const nc = await connect(t, server);
  const pings = nc.subscribe("a", { callback() {} });
  assert.ok(pings);
  const start = Date.now();
  await until(() => Date.now() - start > 400, "some of the server's pings");
  await nc.flush();
  assert.equal(nc.isClosed(), false);
});

test("context says who the user is", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  const { data, server: said } = await nc.context();
  assert.deepEqual(data, { user: "", account: "$G", account_name: "$G" });
  assert.equal(said.id, nc.info.server_id);
  assert.equal(said.name, nc.info.server_name);
});

test("too many connections", async (t) => {
  const server = await Server.start(t, { limits: { max_connections: 2 } });
  await connect(t, server);
  await connect(t, server);
  const error = await refused(natsConnect({ servers: server.url, reconnect: false }));
  assert.match(error.message, /maximum connections exceeded|EPIPE|ECONNRESET/i); // what node sees first of the end
});

test("a client that leaves makes room for another", async (t) => {
  const server = await Server.start(t, { limits: { max_connections: 1 } });
  const nc = await connect(t, server);
  await nc.close();
  await until(async () => {
    try {
      await connect(t, server, { reconnect: false });
      return true;
    } catch {
      return false;
    }
  });
});

test("more subscriptions than the server bears", async (t) => {
  const server = await Server.start(t, { limits: { max_subscriptions: 2 } });
  const nc = await connect(t, server, { reconnect: false });
  const problem = first(nc.status(), ({ type }) => type === "error");
  for (const subject of ["a", "b", "c"]) nc.subscribe(subject, { callback() {} });
  const { error } = await problem;
  assert.match(error.message, /maximum subscriptions exceeded/i);
});

test("many clients at once", async (t) => {
  const server = await Server.start(t);
  const clients = await within(Promise.all(Array.from({ length: 40 }, () => connect(t, server))));
  const subs = clients.map((nc) => nc.subscribe("all"));
  await Promise.all(clients.map((nc) => nc.flush()));
  clients[0].publish("all", "hello");
  const got = await Promise.all(subs.map((sub) => take(sub, 1)));
  assert.equal(got.length, 40);
});

test("await using drains", async (t) => {
  const server = await Server.start(t);
  const nc = await connect(t, server);
  await nc[Symbol.asyncDispose]();
  assert.equal(nc.isClosed(), true);
});
