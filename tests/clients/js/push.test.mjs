// Push consumers: bound ones, those by name, ordered ones, flow control and heartbeats, groups.
import { test } from "node:test";
import { createInbox, nanos } from "@nats-io/transport-node";
import { assert, begin, collect, connect, first, refused, refusedApi, streamOf, take, until } from "./helpers.mjs";

async function pushing(t, count, config = {}) {
  const world = await begin(t);
  await streamOf(world.jsm, world.js, count);
  const settings = { durable_name: "p", ack_policy: "explicit", deliver_subject: createInbox(), ...config };
  const info = await world.jsm.consumers.add("S", settings);
  return { ...world, settings, info };
}

const strings = (msgs) => msgs.map((msg) => msg.string());

test("a push consumer by name", async (t) => {
  const { js, jsm } = await pushing(t, 3);
  const consumer = await js.consumers.getPushConsumer("S", "p");
  assert.deepEqual([consumer.isPullConsumer(), consumer.isPushConsumer()], [false, true]);
  const messages = await consumer.consume();
  const msgs = [];
  for await (const msg of messages) {
    msgs.push(msg);
    await msg.ackAck();
    if (msgs.length === 3) break;
  }
  assert.deepEqual(strings(msgs), ["0", "1", "2"]);
  const { ack_floor, num_pending } = await jsm.consumers.info("S", "p");
  assert.deepEqual([ack_floor.stream_seq, num_pending], [3, 0]);
});

test("a push consumer by callback", async (t) => {
  const { js } = await pushing(t, 3);
  const got = [];
  const consumer = await js.consumers.getPushConsumer("S", "p");
  const messages = await consumer.consume({ callback: (msg) => (msg.ack(), got.push(msg.string())) });
  await until(() => got.length === 3);
  await messages.close();
});

test("a push consumer that is bound", async (t) => {
  const { js, settings } = await pushing(t, 3);
  const consumer = await js.consumers.getBoundPushConsumer({ deliver_subject: settings.deliver_subject });
  assert.deepEqual(strings(await take(await consumer.consume(), 3)), ["0", "1", "2"]);
  await refused(consumer.info(), { name: "InvalidOperationError" });
  await refused(consumer.delete(), { name: "InvalidOperationError" });
  await refused(js.consumers.getBoundPushConsumer({}), { name: "InvalidArgumentError" });
});

test("push_bound tells whether somebody listens", async (t) => {
  const { js, jsm, nc } = await pushing(t, 1);
  assert.equal((await jsm.consumers.info("S", "p")).push_bound, undefined);
  const messages = await (await js.consumers.getPushConsumer("S", "p")).consume({ callback() {} });
  await nc.flush();
  assert.equal((await jsm.consumers.info("S", "p")).push_bound, true);
  await refused((await js.consumers.getPushConsumer("S", "p")).consume(), { message: "consumer is already bound" });
  await messages.close();
  await nc.flush();
  await until(async () => (await jsm.consumers.info("S", "p")).push_bound !== true);
});

test("a pull consumer is none", async (t) => {
  const { js, jsm } = await pushing(t, 1);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  await refused(js.consumers.getPushConsumer("S", "d"), { message: "not a push consumer" });
  await refusedApi(js.consumers.getPushConsumer("S", "n"), 10014, "consumer not found");
});


test("heartbeats say where the consumer is", async (t) => {
  const { js } = await pushing(t, 2, { idle_heartbeat: nanos(150) });
  const messages = await (await js.consumers.getPushConsumer("S", "p")).consume({ callback: (msg) => msg.ack() });
  const beat = await first(messages.status(), ({ type, lastStreamSequence }) => type === "heartbeat" && lastStreamSequence === 2);
  assert.deepEqual(beat, { type: "heartbeat", lastConsumerSequence: 2, lastStreamSequence: 2 });
  await messages.close();
});

test("flow control", async (t) => {
  const { js, jsm, nc } = await pushing(t, 0, { idle_heartbeat: nanos(500), flow_control: true, ack_policy: "none" });
  const messages = await (await js.consumers.getPushConsumer("S", "p")).consume();
  const controlled = first(messages.status(), ({ type }) => type === "flow_control", 20_000);
  const all = take(messages, 2000, 20_000);
  const payload = new Uint8Array(1000);
  for (let i = 0; i < 2000; i++) nc.publish(`s.${i}`, payload);
  assert.deepEqual(await controlled, { type: "flow_control" });
  assert.deepEqual((await all).map((msg) => msg.seq), Array.from({ length: 2000 }, (_, i) => i + 1));
  assert.equal((await jsm.consumers.info("S", "p")).num_pending, 0);
});

test("a group shares", async (t) => {
  const { js, nc, server } = await pushing(t, 0, { deliver_group: "g" });
  const other = await connect(t, server);
  const counts = [0, 0];
  for (const [i, one] of [nc, other].entries()) {
    const { jetstream } = await import("@nats-io/jetstream");
    const consumer = await jetstream(one).consumers.getPushConsumer("S", "p");
    await consumer.consume({ callback: (msg) => (msg.ack(), counts[i]++) });
    await one.flush();
  }
  for (let i = 0; i < 100; i++) await js.publish("s.x");
  await until(() => counts[0] + counts[1] === 100);
  assert.ok(counts[0] > 10 && counts[1] > 10, String(counts));
});

test("a consumer that nobody listens to waits", async (t) => {
  const { jsm, js } = await pushing(t, 3);
  assert.equal((await jsm.consumers.info("S", "p")).delivered.consumer_seq, 0);
  assert.equal((await take(await (await js.consumers.getPushConsumer("S", "p")).consume(), 3)).length, 3);
});

test("what is not acked comes again", async (t) => {
  const { js } = await pushing(t, 1, { ack_wait: nanos(100) });
  const msgs = await take(await (await js.consumers.getPushConsumer("S", "p")).consume(), 3);
  assert.deepEqual(msgs.map((msg) => msg.info.deliveryCount), [1, 2, 3]);
});

test("only so many without an ack", async (t) => {
  const { js, jsm } = await pushing(t, 5, { max_ack_pending: 2 });
  const got = [];
  const messages = await (await js.consumers.getPushConsumer("S", "p")).consume({ callback: (msg) => got.push(msg) });
  await until(() => got.length === 2);
  assert.equal((await jsm.consumers.info("S", "p")).num_ack_pending, 2);
  got[0].ack();
  await until(() => got.length === 3);
  await messages.close();
});

test("who listens is not told that the consumer is deleted", async (t) => {
  const { js, jsm, nc, settings } = await pushing(t, 1);
  const sub = nc.subscribe(settings.deliver_subject);
  await until(async () => (await jsm.consumers.info("S", "p")).push_bound);
  await jsm.consumers.delete("S", "p");
  await js.publish("s.x");
  await nc.flush();
  sub.unsubscribe();
  assert.deepEqual((await collect(sub)).map((msg) => msg.subject), ["s.0"]);
});

test("missed heartbeats are told", async (t) => {
  const { js, jsm } = await pushing(t, 1, { idle_heartbeat: nanos(200) });
  const messages = await (await js.consumers.getPushConsumer("S", "p")).consume({ callback() {} });
  const told = first(messages.status(), ({ type }) => type === "heartbeats_missed");
  await until(async () => (await jsm.consumers.info("S", "p")).push_bound);
  await jsm.consumers.delete("S", "p");
  assert.equal((await told).count, 2);
  await messages.close();
});

test("delete", async (t) => {
  const { js, jsm } = await pushing(t, 1);
  assert.equal(await (await js.consumers.getPushConsumer("S", "p")).delete(), true);
  await refusedApi(jsm.consumers.info("S", "p"), 10014, "consumer not found");
});

test("a rate", async (t) => {
  const { js, jsm } = await pushing(t, 0, { rate_limit_bps: 80_000, ack_policy: "none" });
  for (let i = 0; i < 8; i++) await js.publish("s.x", new Uint8Array(2000));
  assert.equal((await take(await (await js.consumers.getPushConsumer("S", "p")).consume(), 8, 15_000)).length, 8);
  assert.equal((await jsm.consumers.info("S", "p")).config.rate_limit_bps, 80_000);
});

// -- ordered consumers ------------------------------------------------------------------------------

for (const [options, expected] of [
  [undefined, ["0", "1", "2", "3", "4"]],
  [{ filter_subjects: "s.3" }, ["3"]],
  [{ filter_subjects: ["s.1", "s.3"] }, ["1", "3"]],
  [{ opt_start_seq: 4 }, ["3", "4"]],
  [{ deliver_policy: "last" }, ["4"]],
  [{ deliver_policy: "last_per_subject" }, ["0", "1", "2", "3", "4"]],
  [{ opt_start_time: "2001-01-01T00:00:00Z" }, ["0", "1", "2", "3", "4"]],
  [{ name_prefix: "mine", deliver_prefix: "to.me" }, ["0", "1", "2", "3", "4"]],
]) {
  test(`an ordered push consumer with ${JSON.stringify(options)}`, async (t) => {
    const { jsm, js } = await begin(t);
    await streamOf(jsm, js, 5);
    const consumer = await js.consumers.getPushConsumer("S", options);
    assert.deepEqual(strings(await take(await consumer.consume(), expected.length)), expected);
    const { config } = await consumer.info();
    assert.deepEqual([config.ack_policy, config.max_deliver, config.flow_control, config.idle_heartbeat], ["none", 1, true, 30_000_000_000]);
  });
}

test("an ordered push consumer of a large stream", async (t) => {
  const { jsm, js, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  for (let i = 0; i < 5000; i++) nc.publish(`s.${i}`, new Uint8Array(200));
  await nc.flush();
  const messages = await (await js.consumers.getPushConsumer("S")).consume();
  const msgs = await take(messages, 5000, 20_000);
  assert.deepEqual(msgs.map((msg) => msg.seq), Array.from({ length: 5000 }, (_, i) => i + 1));
});

test("an ordered push consumer hears what is new", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  const messages = await (await js.consumers.getPushConsumer("S", { deliver_policy: "new" })).consume();
  const [got] = await Promise.all([take(messages, 1), js.publish("s.x", "new")]);
  assert.equal(got[0].string(), "new");
});

test("an ordered push consumer of no stream", async (t) => {
  const { js } = await begin(t);
  await refusedApi(js.consumers.getPushConsumer("N"), 10059, "stream not found");
});
