// Subjects, subscriptions by iterator and by callback, queue groups, headers, payloads.
import net from "node:net";
import { test } from "node:test";
import { createInbox, Empty, headers, Match, syncIterator } from "@nats-io/transport-node";
import { Server, assert, collect, connect, first, refused, take, text, until, within } from "./helpers.mjs";

async function one(t, setup, options) {
  const server = await Server.start(t, setup);
  return { server, nc: await connect(t, server, options) };
}

test("a message by iterator", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a.b");
  nc.publish("a.b", "hello", { reply: "r" });
  const [msg] = await take(sub, 1);
  assert.deepEqual([msg.subject, msg.string(), msg.reply, msg.sid], ["a.b", "hello", "r", sub.getID()]);
  assert.equal(msg.headers, undefined);
});

test("a message by callback", async (t) => {
  const { nc } = await one(t);
  const got = new Promise((resolve) => nc.subscribe("a", { callback: (err, msg) => resolve([err, msg.string()]) }));
  nc.publish("a", "hello");
  assert.deepEqual(await within(got), [null, "hello"]);
});

test("a message by syncIterator", async (t) => {
  const { nc } = await one(t);
  const iterator = syncIterator(nc.subscribe("a"));
  nc.publish("a", "1");
  nc.publish("a", "2");
  assert.equal((await within(iterator.next())).string(), "1");
  assert.equal((await within(iterator.next())).string(), "2");
});

for (const [name, payload] of [
  ["empty", Empty],
  ["text", "grüße, 世界"],
  ["a line end", "\r\n\r\nPING\r\n"],
  ["every byte", Uint8Array.from({ length: 256 }, (_, byte) => byte)],
  ["64 KiB", new Uint8Array(65536).fill(7)],
  ["the most there may be", new Uint8Array(1048576).fill(9)],
]) {
  test(`a payload of ${name}`, async (t) => {
    const { nc } = await one(t);
    const sub = nc.subscribe("a");
    nc.publish("a", payload);
    const [msg] = await take(sub, 1);
    assert.deepEqual(Buffer.from(msg.data), Buffer.from(payload));
  });
}

test("json", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  nc.publish("a", JSON.stringify({ a: [1, null] }));
  assert.deepEqual((await take(sub, 1))[0].json(), { a: [1, null] });
});

test("a payload above what the server takes is refused by the client", async (t) => {
  const { nc } = await one(t, { limits: { max_payload: 1024 } });
  assert.equal(nc.info.max_payload, 1024);
  assert.throws(() => nc.publish("a", new Uint8Array(1025)), { name: "InvalidArgumentError" });
  nc.publish("a", new Uint8Array(1024));
  await nc.flush();
});

for (const [pattern, yes, no] of [
  ["a.*", ["a.b", "a.c"], ["a", "a.b.c", "b.a"]],
  ["a.>", ["a.b", "a.b.c", "a.b.c.d"], ["a", "b.a"]],
  ["*.b", ["a.b", "x.b"], ["b", "a.b.c"]],
  ["*.*.c", ["a.b.c"], ["a.b", "a.b.c.d"]],
  [">", ["a", "a.b.c"], []],
  ["a.*.>", ["a.b.c", "a.b.c.d"], ["a.b"]],
]) {
  test(`${pattern} takes what it should`, async (t) => {
    const { nc } = await one(t);
    const sub = nc.subscribe(pattern);
    for (const subject of [...yes, ...no]) nc.publish(subject);
    await nc.flush();
    sub.unsubscribe();
    assert.deepEqual((await collect(sub)).map((msg) => msg.subject).filter((s) => !s.startsWith("_INBOX")), yes);
  });
}

for (const subject of ["", "a b", "a..b", ".a", "a.", "a\tb", "a\r\nb"]) {
  test(`the subject ${JSON.stringify(subject)}`, async (t) => {
    const { nc } = await one(t);
    let thrown = null;
    const problem = first(nc.status(), ({ type }) => type === "error", 1000).catch(() => null);
    try {
      nc.subscribe(subject, { callback() {} });
      await nc.flush();
    } catch (error) {
      thrown = error.name;
    }
    if (thrown === null) {
      const told = await problem;
      assert.match(String(told?.error.message), /invalid subject/i);
    } else assert.equal(thrown, "InvalidSubjectError");
  });
}

test("order is kept among several subscriptions", async (t) => {
  const { nc } = await one(t);
  const seen = [];
  for (const pattern of ["a", "*", ">"]) nc.subscribe(pattern, { callback: (_, msg) => seen.push(`${pattern}${msg.string()}`) });
  nc.publish("a", "1");
  nc.publish("a", "2");
  await nc.flush();
  await until(() => seen.length === 6);
  for (const pattern of ["a", "*", ">"]) {
    assert.deepEqual(seen.filter((one) => one.startsWith(pattern)), [`${pattern}1`, `${pattern}2`]);
  }
});

test("max ends a subscription", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a", { max: 2 });
  for (let i = 0; i < 5; i++) nc.publish("a", String(i));
  assert.deepEqual((await collect(sub)).map((msg) => msg.string()), ["0", "1"]);
  assert.equal(sub.isClosed(), true);
});

test("unsubscribe with max, later", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  const all = collect(sub);
  nc.publish("a", "0");
  nc.publish("a", "1");
  await nc.flush();
  sub.unsubscribe(3);
  for (let i = 2; i < 6; i++) nc.publish("a", String(i));
  assert.deepEqual((await all).map((msg) => msg.string()), ["0", "1", "2"]);
});

test("unsubscribe with a max that is passed already", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a", { callback() {} });
  for (let i = 0; i < 5; i++) nc.publish("a");
  await nc.flush();
  sub.unsubscribe(3);
  nc.publish("a");
  await nc.flush();
  assert.equal(sub.getReceived(), 5);
  assert.equal((await refused(nc.request("a", "", { timeout: 500 }))).isNoResponders(), true);
});

test("unsubscribe at once", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a", { callback() {} });
  nc.publish("a");
  await nc.flush();
  sub.unsubscribe();
  nc.publish("a");
  await nc.flush();
  assert.equal(sub.getReceived(), 1);
});

test("a subscription that waits too long", async (t) => {
  const { nc } = await one(t);
  const error = await refused(collect(nc.subscribe("a", { timeout: 50 })));
  assert.equal(error.name, "TimeoutError");
});

test("a subscription that does not wait too long", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a", { timeout: 300, max: 1 });
  nc.publish("a");
  assert.equal((await collect(sub)).length, 1);
});

test("a client hears itself unless it does not want to", async (t) => {
  const { server, nc: deaf } = await one(t, {}, { noEcho: true });
  const other = await connect(t, server);
  const [mine, theirs] = [deaf.subscribe("a"), other.subscribe("a")];
  await Promise.all([deaf.flush(), other.flush()]);
  deaf.publish("a", "of the deaf");
  await deaf.flush();
  other.publish("a", "of the other");
  await other.flush();
  assert.deepEqual((await take(theirs, 2)).map((msg) => msg.string()), ["of the deaf", "of the other"]);
  assert.deepEqual((await take(mine, 1)).map((msg) => msg.string()), ["of the other"]);
});

test("a queue group shares", async (t) => {
  const server = await Server.start(t);
  const counts = [0, 0, 0, 0];
  for (const i of counts.keys()) {
    const nc = await connect(t, server);
    nc.subscribe("work", { queue: "q", callback: () => counts[i]++ });
    await nc.flush();
  }
  const nc = await connect(t, server);
  for (let i = 0; i < 400; i++) nc.publish("work");
  await nc.flush();
  await until(() => counts.reduce((a, b) => a + b) === 400);
  assert.ok(counts.every((count) => count > 50), String(counts));
});

test("queue groups and plain subscriptions get their own", async (t) => {
  const { nc } = await one(t);
  const seen = { plain: 0, one: 0, two: 0 };
  nc.subscribe("a", { callback: () => seen.plain++ });
  for (const queue of ["one", "two"]) {
    for (let i = 0; i < 3; i++) nc.subscribe("a", { queue, callback: () => seen[queue]++ });
  }
  for (let i = 0; i < 30; i++) nc.publish("a");
  await nc.flush();
  await until(() => seen.plain === 30);
  assert.deepEqual(seen, { plain: 30, one: 30, two: 30 });
});

test("a queue group over patterns", async (t) => {
  const { nc } = await one(t);
  let count = 0;
  for (const pattern of ["a.*", "a.>", "a.b"]) nc.subscribe(pattern, { queue: "q", callback: () => count++ });
  for (let i = 0; i < 30; i++) nc.publish("a.b");
  await nc.flush();
  await nc.flush();
  assert.equal(count, 30);
});

test("who leaves a queue group gets no more", async (t) => {
  const { nc } = await one(t);
  const [a, b] = [0, 1].map(() => nc.subscribe("a", { queue: "q", callback() {} }));
  nc.publish("a");
  await nc.flush();
  a.unsubscribe();
  const before = b.getReceived();
  for (let i = 0; i < 10; i++) nc.publish("a");
  await nc.flush();
  await until(() => b.getReceived() === before + 10);
});

test("headers go through as they are", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  const h = headers();
  h.append("Key", "one");
  h.append("Key", "two");
  h.append("key", "lower");
  h.set("Empty", "");
  h.set("Colon", "a:b: c");
  nc.publish("a", "body", { headers: h });
  const [msg] = await take(sub, 1);
  assert.equal(msg.string(), "body");
  assert.deepEqual(msg.headers.values("Key"), ["one", "two"]);
  assert.deepEqual(msg.headers.values("key"), ["lower"]);
  assert.deepEqual(msg.headers.values("KEY", Match.IgnoreCase).sort(), ["lower", "one", "two"]);
  assert.equal(msg.headers.get("Empty"), "");
  assert.equal(msg.headers.get("Colon"), "a:b: c");
  assert.deepEqual(Buffer.from(msg.headers.encode()), Buffer.from(h.encode()));
});

test("headers with an empty payload", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  const h = headers();
  h.set("k", "v");
  nc.publish("a", Empty, { headers: h });
  const [msg] = await take(sub, 1);
  assert.deepEqual([msg.data.length, msg.headers.get("k")], [0, "v"]);
});

test("headers with a status", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  const h = headers(333, "three");
  nc.publish("a", Empty, { headers: h });
  const [msg] = await take(sub, 1);
  assert.deepEqual([msg.headers.code, msg.headers.description, msg.headers.hasError], [333, "three", true]);
});

test("many headers", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  const h = headers();
  for (let i = 0; i < 500; i++) h.set(`key-${i}`, "x".repeat(50));
  nc.publish("a", "y", { headers: h });
  const [msg] = await take(sub, 1);
  assert.equal(msg.headers.keys().length, 500);
});

test("publishMessage and respondMessage", async (t) => {
  const { nc } = await one(t);
  const [copies, answers] = [nc.subscribe("copy"), nc.subscribe("answer")];
  const sub = nc.subscribe("a");
  const h = headers();
  h.set("k", "v");
  nc.publish("a", "x", { headers: h, reply: "answer" });
  const [msg] = await take(sub, 1);
  nc.publishMessage({ subject: "copy", data: msg.data, headers: msg.headers, reply: msg.reply });
  assert.equal(nc.respondMessage(msg), true);
  const [copy] = await take(copies, 1);
  assert.deepEqual([copy.string(), copy.headers.get("k"), copy.reply], ["x", "v", "answer"]);
  const [answer] = await take(answers, 1);
  assert.deepEqual([answer.subject, answer.string(), answer.headers.get("k")], ["answer", "x", "v"]);
});

test("an answer without anywhere to go", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  nc.publish("a");
  assert.equal((await take(sub, 1))[0].respond("x"), false);
});

test("inboxes", async (t) => {
  const { nc } = await one(t, {}, { inboxPrefix: "mine.in" });
  const all = nc.subscribe("mine.in.>");
  nc.subscribe("a", { callback: (_, msg) => msg.respond("x") });
  await nc.request("a");
  const [msg] = await take(all, 1);
  assert.match(msg.subject, /^mine\.in\./);
  assert.match(createInbox(), /^_INBOX\.[A-Z0-9]{22}$/i);
});

test("ten thousand messages arrive in order", async (t) => {
  const server = await Server.start(t);
  const [a, b] = [await connect(t, server), await connect(t, server)];
  const sub = b.subscribe("a", { max: 10_000 });
  await b.flush();
  for (let i = 0; i < 10_000; i++) a.publish("a", String(i));
  await a.flush();
  const got = await collect(sub, 20_000);
  assert.deepEqual(got.map((msg) => Number(msg.string())), Array.from({ length: 10_000 }, (_, i) => i));
});

test("a slow reader is told by its own client", async (t) => {
  const { nc } = await one(t);
  const slow = first(nc.status(), ({ type }) => type === "slowConsumer");
  const sub = nc.subscribe("a", { slow: 3 });
  for (let i = 0; i < 20; i++) nc.publish("a");
  await nc.flush();
  const told = await Promise.race([slow, (async () => { for await (const _ of sub) { await slow; break; } return slow; })()]);
  assert.equal(told.type, "slowConsumer");
  assert.equal(told.sub.getID(), sub.getID());
});

test("a client that does not read is cut off and the others are not harmed", async (t) => {
  const server = await Server.start(t, { limits: { max_pending: 4 * 1024 * 1024 } });
  const [nc, reader] = [await connect(t, server), await connect(t, server)];
  const socket = net.connect(server.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  const said = () => within(new Promise((resolve) => socket.once("data", resolve)));
  assert.match(text(await said()), /^INFO /);
  socket.write('CONNECT {"verbose":false}\r\nSUB big 1\r\nPING\r\n');
  await said();
  socket.pause();
  const sub = reader.subscribe("big");
  await reader.flush();
  for (let i = 0; i < 100; i++) {
    nc.publish("big", new Uint8Array(256 * 1024));
    await nc.flush();
    await reader.flush();
  }
  assert.equal(sub.getReceived(), 100);
  socket.resume();
  await within(closed, "the cut", 12_000);
});

test("trace headers", async (t) => {
  const { nc } = await one(t);
  const sub = nc.subscribe("a");
  nc.publish("a", "x", { traceDestination: "trace.here" });
  const [msg] = await take(sub, 1);
  assert.equal(msg.headers.get("Nats-Trace-Dest"), "trace.here");
});
