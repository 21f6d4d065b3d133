// Priority groups of pull consumers.
import { test } from "node:test";
import { nanos } from "@nats-io/transport-node";
import { assert, begin, collect, first, refused, streamOf, until } from "./helpers.mjs";

async function grouped(t, count, config) {
  const world = await begin(t);
  await streamOf(world.jsm, world.js, count);
  await world.jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", priority_groups: ["g"], ...config });
  return { ...world, get: () => world.js.consumers.get("S", "d") };
}

test("overflow waits for enough that is pending", async (t) => {
  const { get, js } = await grouped(t, 3, { priority_policy: "overflow" });
  const consumer = await get();
  assert.deepEqual(await collect(await consumer.fetch({ max_messages: 2, group: "g", min_pending: 5, expires: 1000 })), []);
  for (let i = 0; i < 4; i++) await js.publish("s.x");
  assert.equal((await collect(await consumer.fetch({ max_messages: 2, group: "g", min_pending: 5, expires: 1000 }))).length, 2);
});

test("overflow waits for enough that is not acked", async (t) => {
  const { get } = await grouped(t, 6, { priority_policy: "overflow" });
  const consumer = await get();
  assert.deepEqual(await collect(await consumer.fetch({ max_messages: 1, group: "g", min_ack_pending: 2, expires: 1000 })), []);
  await collect(await consumer.fetch({ max_messages: 2, group: "g", expires: 1000 }));
  assert.equal((await collect(await consumer.fetch({ max_messages: 1, group: "g", min_ack_pending: 2, expires: 1000 }))).length, 1);
});

test("who names no group gets nothing", async (t) => {
  const { get } = await grouped(t, 1, { priority_policy: "overflow" });
  const error = await refused(collect(await (await get()).fetch({ expires: 1000 })));
  assert.deepEqual([error.code, error.message], [400, "bad request - priority group missing"]);
});

test("who names another group gets nothing", async (t) => {
  const { get } = await grouped(t, 1, { priority_policy: "overflow" });
  const error = await refused(collect(await (await get()).fetch({ group: "other", min_pending: 1, expires: 1000 })));
  assert.deepEqual([error.code, error.message], [400, "bad request - invalid priority group"]);
});

test("one is pinned", async (t) => {
  const { get, js, jsm } = await grouped(t, 0, { priority_policy: "pinned_client", priority_timeout: nanos(5000) });
  const [a, b] = await Promise.all([get(), get()].map(async (one) => (await one).consume({ group: "g", expires: 3000 })));
  const got = { a: 0, b: 0 };
  const pinned = [];
  for (const [name, messages] of [["a", a], ["b", b]]) {
    (async () => {
      for await (const status of messages.status()) if (status.type.includes("pinned")) pinned.push([name, status.type]);
    })();
    (async () => {
      for await (const msg of messages) (msg.ack(), got[name]++);
    })();
  }
  for (let i = 0; i < 10; i++) await js.publish("s.x");
  await until(() => got.a + got.b === 10);
  assert.ok(got.a === 0 || got.b === 0, JSON.stringify(got));
  assert.equal(pinned[0][1], "consumer_pinned");
  const info = await jsm.consumers.info("S", "d");
  assert.equal(info.priority_groups.length, 1);
  assert.equal(info.priority_groups[0].group, "g");
  assert.match(info.priority_groups[0].pinned_client_id, /.+/);
  const before = pinned[0][0];
  await jsm.consumers.unpin("S", "d", "g");
  for (let i = 0; i < 10; i++) await js.publish("s.x");
  await until(() => got.a + got.b === 20);
  assert.ok(before);
  for (const messages of [a, b]) await messages.close();
});

test("unpin tells who was pinned", async (t) => {
  const { get, js, jsm, nc } = await grouped(t, 0, { priority_policy: "pinned_client", priority_timeout: nanos(5000) });
  const told = [];
  nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.>", { callback: (_, msg) => told.push(msg.json()) });
  const messages = await (await get()).consume({ group: "g", expires: 3000, callback: (msg) => msg.ack() });
  const seen = [];
  (async () => {
    for await (const { type } of messages.status()) seen.push(type);
  })();
  await js.publish("s.x");
  await until(() => told.some(({ type }) => type.endsWith("consumer_group_pinned")) && seen.includes("consumer_pinned"));
  await jsm.consumers.unpin("S", "d", "g");
  const { reason } = await until(() => told.find(({ type }) => type.endsWith("consumer_group_unpinned")));
  assert.equal(reason, "admin");
  for (let i = 0; i < 3; i++) await js.publish("s.x");
  await until(() => seen.includes("consumer_unpinned"));
  await messages.close();
});

test("unpin where nothing is pinned by policy", async (t) => {
  const { jsm } = await grouped(t, 0, { priority_policy: "overflow" });
  await jsm.consumers.unpin("S", "d", "g");
});

test("unpin of a group that is not there", async (t) => {
  const { jsm } = await grouped(t, 0, { priority_policy: "pinned_client" });
  await refused(jsm.consumers.unpin("S", "d", "other"), { name: "JetStreamApiError" });
});

test("the lower number goes first", async (t) => {
  const { get, js, jsm } = await grouped(t, 0, { priority_policy: "prioritized" });
  const consumer = await get();
  const waits = (count) => until(async () => (await jsm.consumers.info("S", "d")).num_waiting === count);
  const ask = async (priority) => collect(await consumer.fetch({ max_messages: 1, group: "g", priority, expires: 3000 }));
  const late = ask(5);
  await waits(1);
  const early = ask(1);
  await waits(2);
  await js.publish("s.x", "first");
  assert.deepEqual((await early).map((msg) => msg.string()), ["first"]);
  await js.publish("s.x", "second");
  assert.deepEqual((await late).map((msg) => msg.string()), ["second"]);
});
