// Requests and their answers, one and many.
import { test } from "node:test";
import { createInbox, Empty, headers } from "@nats-io/transport-node";
import { Server, assert, collect, connect, refused, take, until, within } from "./helpers.mjs";

async function one(t, options) {
  const server = await Server.start(t);
  return { server, nc: await connect(t, server, options) };
}

function echo(nc, subject = "echo") {
  return nc.subscribe(subject, { callback: (_, msg) => msg.respond(msg.data, { headers: msg.headers }) });
}

for (const options of [{}, { noMux: true }, { noMux: true, reply: "my.reply" }]) {
  test(`a request with ${JSON.stringify(options)}`, async (t) => {
    const { nc } = await one(t);
    echo(nc);
    const h = headers();
    h.set("k", "v");
    const msg = await nc.request("echo", "hello", { timeout: 1000, headers: h, ...options });
    assert.deepEqual([msg.string(), msg.headers.get("k")], ["hello", "v"]);
    if (options.reply) assert.equal(msg.subject, "my.reply");
  });

  test(`nobody answers a request with ${JSON.stringify(options)}`, async (t) => {
    const { nc } = await one(t);
    const error = await refused(nc.request("nobody", "", { timeout: 1000, ...options }));
    assert.equal(error.isNoResponders?.() ?? error.name === "NoRespondersError", true, error.stack);
  });

  test(`somebody does not answer a request with ${JSON.stringify(options)}`, async (t) => {
    const { nc } = await one(t);
    nc.subscribe("mute", { callback() {} });
    await nc.flush();
    const error = await refused(nc.request("mute", "", { timeout: 60, ...options }));
    assert.equal(error.name, "TimeoutError", error.stack);
  });
}

test("no responders is said by a status of 503, at once", async (t) => {
  const { nc } = await one(t);
  const inbox = createInbox();
  const sub = nc.subscribe(inbox);
  nc.publish("nobody", "x", { reply: inbox });
  const [msg] = await take(sub, 1);
  assert.deepEqual([msg.headers.code, msg.headers.description, msg.data.length, msg.subject], [503, "", 0, inbox]);
  assert.equal(msg.headers.get("Nats-Subject"), "nobody");
});

test("no responders names the subject", async (t) => {
  const { nc } = await one(t);
  const error = await refused(nc.request("no.body", "", { timeout: 1000 }));
  assert.equal(error.cause.subject, "no.body");
  assert.match(error.message, /no responders: 'no.body'/);
});

test("who does not echo has no responders in itself", async (t) => {
  const { nc } = await one(t, { noEcho: true });
  nc.subscribe("a", { callback: (_, msg) => msg.respond("x") });
  await nc.flush();
  assert.ok((await refused(nc.request("a", "", { timeout: 1000 }))).isNoResponders());
});

test("a responder who leaves", async (t) => {
  const { server, nc } = await one(t);
  const other = await connect(t, server);
  echo(other);
  await other.flush();
  assert.equal((await nc.request("echo", "1")).string(), "1");
  await other.close();
  const told = await until(() => nc.request("echo", "2", { timeout: 200 }).then(() => null, (error) => error.isNoResponders?.()));
  assert.equal(told, true); // until then the server may still deliver to who is gone
});

test("a hundred requests at once", async (t) => {
  const { server, nc } = await one(t);
  const other = await connect(t, server);
  echo(other);
  await other.flush();
  const answers = await within(Promise.all(Array.from({ length: 100 }, (_, i) => nc.request("echo", String(i), { timeout: 4000 }))));
  assert.deepEqual(answers.map((msg) => Number(msg.string())), Array.from({ length: 100 }, (_, i) => i));
});

test("only the first answer counts", async (t) => {
  const { nc } = await one(t);
  for (let i = 0; i < 3; i++) nc.subscribe("a", { callback: (_, msg) => msg.respond(String(i)) });
  const msg = await nc.request("a");
  assert.match(msg.string(), /^[012]$/);
  await nc.flush();
});

test("a queue group answers once", async (t) => {
  const { nc } = await one(t);
  let count = 0;
  for (let i = 0; i < 5; i++) nc.subscribe("a", { queue: "q", callback: (_, msg) => (count++, msg.respond("x")) });
  for (let i = 0; i < 10; i++) await nc.request("a");
  assert.equal(count, 10);
});

test("an answer with a status is an answer", async (t) => {
  const { nc } = await one(t);
  nc.subscribe("a", { callback: (_, msg) => msg.respond("x", { headers: headers(404, "not here") }) });
  const msg = await nc.request("a");
  assert.deepEqual([msg.headers.code, msg.headers.description, msg.string()], [404, "not here", "x"]);
});

test("a chain of requests", async (t) => {
  const { nc } = await one(t);
  nc.subscribe("outer", { callback: async (_, msg) => msg.respond(`outer ${(await nc.request("inner", msg.data)).string()}`) });
  nc.subscribe("inner", { callback: (_, msg) => msg.respond(`inner ${msg.string()}`) });
  assert.equal((await nc.request("outer", "x", { timeout: 2000 })).string(), "outer inner x");
});

// -- many answers -----------------------------------------------------------------------------------

function crowd(nc, count, subject = "crowd") {
  for (let i = 0; i < count; i++) nc.subscribe(subject, { callback: (_, msg) => msg.respond(String(i)) });
  return nc.flush();
}

const strings = (msgs) => msgs.map((msg) => msg.string()).sort();

for (const noMux of [false, true]) {
  const kind = noMux ? "each with its own subscription" : "over the shared one";

  test(`many by time, ${kind}`, async (t) => {
    const { nc } = await one(t);
    await crowd(nc, 4);
    const answers = await collect(await nc.requestMany("crowd", "", { strategy: "timer", maxWait: 150, noMux }));
    assert.deepEqual(strings(answers), ["0", "1", "2", "3"]);
  });

  test(`many by count, ${kind}`, async (t) => {
    const { nc } = await one(t);
    await crowd(nc, 4);
    const answers = await collect(await nc.requestMany("crowd", "", { strategy: "count", maxMessages: 3, maxWait: 3000, noMux }));
    assert.ok(noMux ? answers.length >= 3 : answers.length === 3); // without the shared one, what has come is kept
  });

  test(`many by count, fewer than asked for, ${kind}`, async (t) => {
    const { nc } = await one(t);
    await crowd(nc, 2);
    const answers = await collect(await nc.requestMany("crowd", "", { strategy: "count", maxMessages: 9, maxWait: 150, noMux }));
    assert.equal(answers.length, 2);
  });

  test(`many until none comes any more, ${kind}`, async (t) => {
    const { nc } = await one(t);
    await crowd(nc, 5);
    const answers = await collect(await nc.requestMany("crowd", "", { strategy: "stall", stall: 80, maxWait: 3000, noMux }));
    assert.equal(answers.length, 5);
  });

  test(`many until an empty one, ${kind}`, async (t) => {
    const { nc } = await one(t);
    nc.subscribe("a", {
      callback(_, msg) {
        for (const data of ["1", "2", "", "3"]) msg.respond(data);
      },
    });
    const answers = await collect(await nc.requestMany("a", "", { strategy: "sentinel", maxWait: 3000, noMux }));
    assert.deepEqual(answers.map((msg) => msg.string()).slice(0, 3), ["1", "2", ""]);
  });

  test(`many of nobody, ${kind}`, async (t) => {
    const { nc } = await one(t);
    const error = await refused(
      (async () => collect(await nc.requestMany("nobody", "", { strategy: "count", maxMessages: 2, maxWait: 1000, noMux })))(),
    );
    assert.match(String(error.cause?.name ?? error.name), /NoResponders/);
  });

  test(`many with headers, ${kind}`, async (t) => {
    const { nc } = await one(t);
    echo(nc);
    const h = headers();
    h.set("k", "v");
    const [msg] = await collect(await nc.requestMany("echo", "x", { strategy: "count", maxMessages: 1, maxWait: 1000, headers: h, noMux }));
    assert.equal(msg.headers.get("k"), "v");
  });
}

test("a request without payload", async (t) => {
  const { nc } = await one(t);
  echo(nc);
  assert.equal((await nc.request("echo")).data.length, 0);
  assert.equal((await nc.request("echo", Empty)).data.length, 0);
});

test("requests end with the connection", async (t) => {
  const { nc } = await one(t);
  nc.subscribe("mute", { callback() {} });
  const request = refused(nc.request("mute", "", { timeout: 4000 }));
  await nc.flush();
  await nc.close();
  assert.match((await request).name, /ClosedConnectionError|RequestError/);
});
