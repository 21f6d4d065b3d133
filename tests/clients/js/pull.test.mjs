// Pull consumers: next, fetch, consume, acks.
import { test } from "node:test";
import { headers, nanos } from "@nats-io/transport-node";
import { assert, begin, collect, first, refused, refusedApi, streamOf, take, until, within } from "./helpers.mjs";

async function pulling(t, count, config = {}, stream = {}) {
  const world = await begin(t);
  await streamOf(world.jsm, world.js, count, stream);
  await world.jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", ...config });
  return { ...world, consumer: await world.js.consumers.get("S", "d"), info: () => world.jsm.consumers.info("S", "d") };
}

const strings = (msgs) => msgs.map((msg) => msg.string());

test("next", async (t) => {
  const { consumer, info } = await pulling(t, 2);
  const msg = await consumer.next();
  assert.deepEqual([msg.subject, msg.seq, msg.string(), msg.redelivered], ["s.0", 1, "0", false]);
  const { stream, consumer: name, deliveryCount, streamSequence, deliverySequence, pending, domain } = msg.info;
  assert.deepEqual([stream, name, deliveryCount, streamSequence, deliverySequence, pending, domain], ["S", "d", 1, 1, 1, 1, ""]);
  assert.ok(Math.abs(msg.time.getTime() - Date.now()) < 60_000);
  msg.ack();
  const second = await consumer.next();
  assert.equal(second.info.pending, 0);
  assert.equal(await second.ackAck(), true);
  const { delivered, ack_floor, num_ack_pending } = await info();
  assert.deepEqual([delivered.stream_seq, ack_floor.stream_seq, num_ack_pending], [2, 2, 0]);
});

test("next of nothing", async (t) => {
  const { consumer } = await pulling(t, 0);
  const start = Date.now();
  assert.equal(await consumer.next({ expires: 1000 }), null);
  assert.ok(Date.now() - start >= 950);
});

test("next waits for what comes", async (t) => {
  const { consumer, js } = await pulling(t, 0);
  const waiting = consumer.next({ expires: 5000 });
  await js.publish("s.1", "came");
  assert.equal((await within(waiting)).string(), "came");
});

test("next with a short patience is refused by the client", async (t) => {
  const { consumer } = await pulling(t, 0);
  await refused(consumer.next({ expires: 10 }), { name: "InvalidArgumentError" });
});

test("fetch as many as asked for", async (t) => {
  const { consumer } = await pulling(t, 10);
  const msgs = await collect(await consumer.fetch({ max_messages: 4 }));
  assert.deepEqual(strings(msgs), ["0", "1", "2", "3"]);
});

test("fetch fewer than asked for", async (t) => {
  const { consumer } = await pulling(t, 3);
  assert.deepEqual(strings(await collect(await consumer.fetch({ max_messages: 9, expires: 1000 }))), ["0", "1", "2"]);
});

test("fetch nothing", async (t) => {
  const { consumer } = await pulling(t, 0);
  assert.deepEqual(await collect(await consumer.fetch({ expires: 1000 })), []);
});

test("fetch by bytes", async (t) => {
  const { consumer, js } = await pulling(t, 0);
  for (let i = 0; i < 10; i++) await js.publish("s.x", new Uint8Array(100));
  const got = [];
  const error = await refused((async () => {
    for await (const msg of await consumer.fetch({ max_bytes: 500, expires: 1000 })) got.push(msg.seq);
  })());
  assert.deepEqual([error.code, error.message], [409, "message size exceeds maxbytes"]);
  assert.deepEqual(got, [1, 2, 3]);
});

test("fetch by fewer bytes than the first message has", async (t) => {
  const { consumer, js } = await pulling(t, 0);
  await js.publish("s.x", new Uint8Array(1000));
  const messages = await consumer.fetch({ max_bytes: 500, expires: 1000 });
  const statuses = collect(messages.status()).catch(() => []);
  const error = await refused(collect(messages));
  assert.match(error.message, /message size exceeds maxbytes/);
  await statuses;
});

test("fetch twice", async (t) => {
  const { consumer } = await pulling(t, 4);
  for (const expected of [["0", "1"], ["2", "3"]]) {
    assert.deepEqual(strings(await collect(await consumer.fetch({ max_messages: 2 }))), expected);
  }
});

test("fetch gives up when the consumer is deleted", async (t) => {
  const { consumer, jsm } = await pulling(t, 0);
  const messages = await consumer.fetch({ expires: 3000 });
  const failing = refused(collect(messages));
  await until(async () => (await jsm.consumers.info("S", "d")).num_waiting === 1);
  await jsm.consumers.delete("S", "d");
  assert.match((await failing).message, /consumer deleted/);
});

test("fetch gives up when the stream is deleted", async (t) => {
  const { consumer, jsm } = await pulling(t, 0);
  const failing = refused(collect(await consumer.fetch({ expires: 3000 })));
  await until(async () => (await jsm.consumers.info("S", "d")).num_waiting === 1);
  await jsm.streams.delete("S");
  assert.match((await failing).message, /stream deleted|consumer deleted/);
});

test("fetch of more than the consumer gives", async (t) => {
  const { consumer } = await pulling(t, 5, { max_batch: 3 });
  const error = await refused(collect(await consumer.fetch({ max_messages: 4, expires: 1000 })));
  assert.deepEqual([error.code, error.message], [409, "exceeded maxrequestbatch of 3"]);
});

test("fetch for longer than the consumer waits", async (t) => {
  const { consumer } = await pulling(t, 5, { max_expires: nanos(2000) });
  const error = await refused(collect(await consumer.fetch({ max_messages: 4, expires: 5000 })));
  assert.deepEqual([error.code, error.message], [409, "exceeded maxrequestexpires of 2s"]);
});

test("fetch of more bytes than the consumer gives", async (t) => {
  const { consumer } = await pulling(t, 5, { max_bytes: 100 });
  const error = await refused(collect(await consumer.fetch({ max_bytes: 1000, expires: 1000 })));
  assert.equal(error.code, 409);
  assert.match(error.message, /exceeded maxrequestmaxbytes of 100/);
});

test("more pulls than may wait", async (t) => {
  const { nc, info } = await pulling(t, 0, { max_waiting: 1 });
  const pull = (inbox) => nc.publish("$JS.API.CONSUMER.MSG.NEXT.S.d", '{"batch":1,"expires":3000000000}', { reply: inbox });
  const [one, two] = [nc.subscribe("pull.one"), nc.subscribe("pull.two")];
  pull("pull.one");
  await until(async () => (await info()).num_waiting === 1);
  pull("pull.two");
  const [msg] = await take(two, 1);
  assert.deepEqual([msg.headers.code, msg.headers.description], [409, "Exceeded MaxWaiting"]);
  assert.equal(one.getReceived(), 0);
});

test("consume", async (t) => {
  const { consumer, js } = await pulling(t, 5);
  const messages = await consumer.consume();
  const got = [];
  for await (const msg of messages) {
    msg.ack();
    got.push(msg.string());
    if (got.length === 5) await js.publish("s.more", "more");
    if (got.length === 6) break;
  }
  assert.deepEqual(got, ["0", "1", "2", "3", "4", "more"]);
});

test("consume by callback", async (t) => {
  const { consumer } = await pulling(t, 5);
  const got = [];
  const messages = await consumer.consume({ callback: (msg) => (msg.ack(), got.push(msg.string())) });
  await until(() => got.length === 5);
  await messages.close();
  assert.deepEqual(got, ["0", "1", "2", "3", "4"]);
});

test("consume many in small bites", async (t) => {
  const { consumer, info } = await pulling(t, 0);
  const messages = await consumer.consume({ max_messages: 10, threshold_messages: 5 });
  const done = take(messages, 300, 20_000);
  const publisher = consumer.api.nc;
  for (let i = 0; i < 300; i++) publisher.publish(`s.${i}`, String(i));
  const msgs = await done;
  assert.deepEqual(msgs.map((msg) => Number(msg.string())), Array.from({ length: 300 }, (_, i) => i));
  assert.equal((await info()).delivered.consumer_seq >= 300, true);
});

test("consume by bytes", async (t) => {
  const { consumer, js } = await pulling(t, 0);
  for (let i = 0; i < 30; i++) await js.publish("s.x", new Uint8Array(100));
  assert.equal((await take(await consumer.consume({ max_bytes: 1024 }), 30)).length, 30);
});

// A pull is sent once somebody reads: by iterator or, as here, by callback.
test("consume hears heartbeats", async (t) => {
  const { consumer } = await pulling(t, 0);
  const messages = await consumer.consume({ callback() {}, expires: 3000, idle_heartbeat: 500 });
  const beat = await first(messages.status(), ({ type }) => type === "heartbeat");
  assert.deepEqual(beat, { type: "heartbeat", lastConsumerSequence: 0, lastStreamSequence: 0 });
  await messages.close();
});

test("consume tells of its pulls and of what was left of them", async (t) => {
  const { consumer } = await pulling(t, 0);
  const messages = await consumer.consume({ callback() {}, expires: 1000, max_messages: 7 });
  const seen = [];
  for await (const status of messages.status()) {
    seen.push(status);
    if (status.type === "discard") break;
  }
  assert.deepEqual(seen.find(({ type }) => type === "discard"), { type: "discard", messagesLeft: 7, bytesLeft: 0 });
  await messages.close();
});

test("consume stops when the consumer is deleted, if it is to", async (t) => {
  const { consumer, jsm } = await pulling(t, 0);
  const messages = await consumer.consume({ abort_on_missing_resource: true });
  const failing = refused(collect(messages));
  await until(async () => (await jsm.consumers.info("S", "d")).num_waiting === 1);
  await jsm.consumers.delete("S", "d");
  assert.match((await failing).message, /consumer deleted/);
});

test("consume tells when the consumer is deleted", async (t) => {
  const { consumer, jsm } = await pulling(t, 0);
  const messages = await consumer.consume({ callback() {}, expires: 2000 });
  const told = first(messages.status(), ({ type }) => type === "consumer_deleted");
  await until(async () => (await jsm.consumers.info("S", "d")).num_waiting === 1);
  await jsm.consumers.delete("S", "d");
  assert.deepEqual(await told, { type: "consumer_deleted", code: 409, description: "consumer deleted" });
  await messages.close();
});

test("consume goes on with a consumer that is made again", async (t) => {
  const { consumer, jsm, js } = await pulling(t, 1);
  const messages = await consumer.consume({ expires: 1000 });
  const got = [];
  (async () => {
    for await (const msg of messages) (msg.ack(), got.push(msg.string()));
  })();
  await until(() => got.length === 1);
  await jsm.consumers.delete("S", "d");
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", deliver_policy: "new" });
  await js.publish("s.x", "after");
  await until(() => got.includes("after"), "the message after", 10_000);
  await messages.close();
});

test("a consumer object", async (t) => {
  const { consumer, js, jsm } = await pulling(t, 3);
  assert.deepEqual([consumer.isPullConsumer(), consumer.isPushConsumer()], [true, false]);
  assert.equal((await consumer.info()).num_pending, 3);
  assert.equal((await consumer.info(true)).name, "d");
  const same = js.consumers.getConsumerFromInfo(await jsm.consumers.info("S", "d"));
  assert.equal((await same.next()).seq, 1);
  assert.equal((await (await (await js.streams.get("S")).getConsumer("d")).next()).seq, 2);
  assert.equal(await consumer.delete(), true);
  await refusedApi(consumer.info(), 10014, "consumer not found");
});

test("a pull consumer that is none", async (t) => {
  const { js, jsm } = await pulling(t, 1);
  await jsm.consumers.add("S", { durable_name: "p", deliver_subject: "x", ack_policy: "explicit" });
  await refused(js.consumers.get("S", "p"), { message: "not a pull consumer" });
});

test("bind asks nothing", async (t) => {
  const { js, jsm } = await pulling(t, 1);
  const ci = await jsm.consumers.info("S", "d");
  const consumer = js.consumers.getConsumerFromInfo(ci);
  assert.equal((await consumer.next({ bind: true, expires: 1000 })).seq, 1);
});

// -- acks -------------------------------------------------------------------------------------------

test("what is not acked comes again", async (t) => {
  const { consumer } = await pulling(t, 1, { ack_wait: nanos(100) });
  await consumer.next();
  const again = await consumer.next({ expires: 3000 });
  assert.deepEqual([again.seq, again.redelivered, again.info.deliveryCount, again.info.deliverySequence], [1, true, 2, 2]);
});

test("nak brings it back at once", async (t) => {
  const { consumer } = await pulling(t, 1, { ack_wait: nanos(60_000) });
  (await consumer.next()).nak();
  const again = await consumer.next({ expires: 2000 });
  assert.deepEqual([again.seq, again.info.deliveryCount], [1, 2]);
});

test("nak with a delay brings it back later", async (t) => {
  const { consumer } = await pulling(t, 1);
  const start = Date.now();
  (await consumer.next()).nak(400);
  const again = await consumer.next({ expires: 4000 });
  assert.equal(again.info.deliveryCount, 2);
  assert.ok(Date.now() - start >= 380);
});

test("working keeps it", async (t) => {
  const { consumer, info } = await pulling(t, 1, { ack_wait: nanos(400) });
  const msg = await consumer.next();
  const end = Date.now() + 1000;
  await until(() => {
    msg.working();
    return Date.now() > end;
  });
  assert.equal((await info()).num_redelivered, 0);
  assert.equal(await msg.ackAck(), true);
});

test("term ends it", async (t) => {
  const { consumer, info, nc } = await pulling(t, 1, { ack_wait: nanos(100) });
  const advisory = nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.S.d");
  (await consumer.next()).term("no good");
  const [told] = await take(advisory, 1);
  const { type, stream, consumer: name, stream_seq, consumer_seq, deliveries, reason } = told.json();
  assert.deepEqual(
    [type, stream, name, stream_seq, consumer_seq, deliveries, reason],
    ["io.nats.jetstream.advisory.v1.terminated", "S", "d", 1, 1, 1, "no good"],
  );
  assert.equal((await info()).num_ack_pending, 0);
  assert.equal(await consumer.next({ expires: 1000 }), null);
});

test("an ack that asks for the next", async (t) => {
  const { consumer, nc } = await pulling(t, 3);
  const msg = await consumer.next();
  const sub = nc.subscribe("next.here");
  msg.next("next.here", { batch: 2 });
  assert.deepEqual((await take(sub, 2)).map((one) => one.string()), ["1", "2"]);
});

test("acks of all before", async (t) => {
  const { consumer, info } = await pulling(t, 5, { ack_policy: "all" });
  const msgs = await collect(await consumer.fetch({ max_messages: 4 }));
  assert.equal(await msgs[2].ackAck(), true);
  const { num_ack_pending, ack_floor } = await info();
  assert.deepEqual([num_ack_pending, ack_floor.stream_seq], [1, 3]);
});

test("no acks needed", async (t) => {
  const { consumer, info } = await pulling(t, 2, { ack_policy: "none" });
  await consumer.next();
  const { num_ack_pending, ack_floor, delivered } = await info();
  assert.deepEqual([num_ack_pending, ack_floor.stream_seq, delivered.stream_seq], [0, 1, 1]);
});

test("only so many without an ack", async (t) => {
  const { consumer } = await pulling(t, 5, { max_ack_pending: 2 });
  const msgs = await collect(await consumer.fetch({ max_messages: 5, expires: 1000 }));
  assert.equal(msgs.length, 2);
  msgs[0].ack();
  assert.equal((await consumer.next()).seq, 3);
});

test("only so many deliveries", async (t) => {
  const { consumer, nc } = await pulling(t, 1, { max_deliver: 2, ack_wait: nanos(100) });
  const advisory = nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.d");
  for (const count of [1, 2]) assert.equal((await consumer.next({ expires: 2000 })).info.deliveryCount, count);
  const pending = consumer.next({ expires: 1000 });
  const [told] = await take(advisory, 1);
  assert.deepEqual([told.json().stream_seq, told.json().deliveries], [1, 2]);
  assert.equal(await pending, null);
});

test("a backoff", async (t) => {
  const { consumer } = await pulling(t, 1, { backoff: [nanos(100), nanos(300)], max_deliver: 3 });
  const times = [];
  for (let i = 0; i < 3; i++) {
    await consumer.next({ expires: 3000 });
    times.push(Date.now());
  }
  assert.ok(times[1] - times[0] >= 80, String(times[1] - times[0]));
  assert.ok(times[2] - times[1] >= 250, String(times[2] - times[1]));
});

test("an ack twice", async (t) => {
  const { consumer } = await pulling(t, 1);
  const msg = await consumer.next();
  assert.equal(await msg.ackAck(), true);
  assert.equal(await msg.ackAck(), false);
});

test("sampled acks", async (t) => {
  const { consumer, nc } = await pulling(t, 1, { sample_freq: "100%" });
  const metric = nc.subscribe("$JS.EVENT.METRIC.CONSUMER.ACK.S.d");
  (await consumer.next()).ack();
  const { type, stream_seq, deliveries } = (await take(metric, 1))[0].json();
  assert.deepEqual([type, stream_seq, deliveries], ["io.nats.jetstream.metric.v1.consumer_ack", 1, 1]);
});

test("filters", async (t) => {
  const { consumer } = await pulling(t, 6, { filter_subjects: ["s.1", "s.4"] });
  assert.deepEqual(strings(await collect(await consumer.fetch({ max_messages: 5, expires: 1000 }))), ["1", "4"]);
});

test("headers only", async (t) => {
  const { consumer, js } = await pulling(t, 0, { headers_only: true });
  const h = headers();
  h.set("k", "v");
  await js.publish("s.x", "12345", { headers: h });
  const msg = await consumer.next();
  assert.deepEqual([msg.data.length, msg.headers.get("Nats-Msg-Size"), msg.headers.get("k")], [0, "5", "v"]);
});

for (const [config, seqs] of [
  [{ deliver_policy: "all" }, [1, 2, 3, 4, 5]],
  [{ deliver_policy: "last" }, [5]],
  [{ deliver_policy: "last_per_subject", filter_subject: ">" }, [4, 5]],
  [{ deliver_policy: "by_start_sequence", opt_start_seq: 3 }, [3, 4, 5]],
  [{ deliver_policy: "by_start_time", opt_start_time: "2000-01-01T00:00:00Z" }, [1, 2, 3, 4, 5]],
  [{ deliver_policy: "new" }, []],
]) {
  test(`begins with ${JSON.stringify(config)}`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    for (let i = 0; i < 5; i++) await js.publish(`s.${i % 2}`);
    await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", ...config });
    const msgs = await collect(await (await js.consumers.get("S", "d")).fetch({ max_messages: 10, expires: 1000 }));
    assert.deepEqual(msgs.map((msg) => msg.seq), seqs);
  });
}

test("original pace", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  await js.publish("s.1");
  const gap = Date.now() + 300;
  await until(() => Date.now() >= gap);
  await js.publish("s.2");
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", replay_policy: "original" });
  const consumer = await js.consumers.get("S", "d");
  const start = Date.now();
  await take(await consumer.consume(), 2);
  assert.ok(Date.now() - start >= 250);
});

test("two who pull share", async (t) => {
  const { consumer, js } = await pulling(t, 20);
  const other = await js.consumers.get("S", "d");
  const [a, b] = await Promise.all([consumer, other].map(async (one) => collect(await one.fetch({ max_messages: 10 }))));
  assert.deepEqual([...a, ...b].map((msg) => msg.seq).sort((x, y) => x - y), Array.from({ length: 20 }, (_, i) => i + 1));
});

// -- ordered consumers ------------------------------------------------------------------------------

for (const [options, expected] of [
  [{}, ["0", "1", "2", "3", "4"]],
  [{ filter_subjects: "s.3" }, ["3"]],
  [{ filter_subjects: ["s.1", "s.3"] }, ["1", "3"]],
  [{ opt_start_seq: 4 }, ["3", "4"]],
  [{ deliver_policy: "last" }, ["4"]],
  [{ deliver_policy: "last_per_subject" }, ["0", "1", "2", "3", "4"]],
  [{ opt_start_time: "2001-01-01T00:00:00Z" }, ["0", "1", "2", "3", "4"]],
  [{ name_prefix: "mine" }, ["0", "1", "2", "3", "4"]],
]) {
  test(`an ordered consumer with ${JSON.stringify(options)}`, async (t) => {
    const { jsm, js } = await begin(t);
    await streamOf(jsm, js, 5);
    const consumer = await js.consumers.get("S", { ...options });
    assert.deepEqual(strings(await take(await consumer.consume(), expected.length)), expected);
    const { config } = await consumer.info();
    assert.deepEqual([config.ack_policy, config.max_deliver, config.mem_storage, config.num_replicas], ["none", 1, true, 1]);
    if (options.name_prefix) assert.equal(config.name, "mine_1");
  });
}

test("an ordered consumer is made again when it is deleted", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  const consumer = await js.consumers.get("S");
  const messages = await consumer.consume({ expires: 1000 });
  const got = [];
  (async () => {
    for await (const msg of messages) got.push(msg.string());
  })();
  await until(() => got.length === 3);
  const again = first(messages.status(), ({ type }) => type === "ordered_consumer_recreated", 15_000);
  await jsm.consumers.delete("S", (await consumer.info()).name);
  await again;
  await js.publish("s.x", "after");
  await until(() => got.length === 4, "the fourth", 10_000);
  assert.deepEqual(got, ["0", "1", "2", "after"]);
  await messages.close();
});

test("an ordered consumer fetches", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 5);
  const consumer = await js.consumers.get("S");
  assert.deepEqual(strings(await collect(await consumer.fetch({ max_messages: 2 }))), ["0", "1"]);
  assert.deepEqual(strings(await collect(await consumer.fetch({ max_messages: 2 }))), ["2", "3"]);
  assert.equal((await consumer.next()).string(), "4");
});

test("an ordered consumer of no stream", async (t) => {
  const { js } = await begin(t);
  await refusedApi(js.consumers.get("N"), 10059, "stream not found");
});

test("headers only, in order", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2);
  const msgs = await take(await (await js.consumers.get("S", { headers_only: true })).consume(), 2);
  assert.deepEqual(msgs.map((msg) => [msg.data.length, msg.headers.get("Nats-Msg-Size")]), [[0, "1"], [0, "1"]]);
});
