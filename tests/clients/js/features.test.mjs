// What newer servers do with streams: batches, schedules, counters, mirrors, sources, mappings, copies.
import { test } from "node:test";
import { startFastIngest } from "@nats-io/jetstream/internal";
import { headers } from "@nats-io/transport-node";
import { assert, begin, first, refused, refusedApi, streamOf, take, until } from "./helpers.mjs";

async function stored(jsm, name = "S") {
  const { state } = await jsm.streams.info(name);
  const found = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const msg = await jsm.streams.getMessage(name, { seq });
    if (msg) found.push(msg);
  }
  return found;
}
const strings = (msgs) => msgs.map((msg) => msg.string());
const reaches = (jsm, name, count) => until(async () => (await jsm.streams.info(name)).state.messages === count, `${count} in ${name}`);

// -- batches ----------------------------------------------------------------------------------------

async function batched(t, config = { allow_atomic: true }) {
  const world = await begin(t);
  await world.jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
  return world;
}

test("a batch is stored at once", async (t) => {
  const { js, jsm } = await batched(t);
  const batch = await js.startBatch("s.1", "1");
  batch.add("s.2", "2");
  await batch.add("s.3", "3", { ack: true });
  assert.equal((await jsm.streams.info("S")).state.messages, 0);
  assert.equal(batch.count, 3);
  const ack = await batch.commit("s.4", "4");
  assert.deepEqual([ack.stream, ack.seq, ack.batch, ack.count], ["S", 4, batch.id, 4]);
  assert.deepEqual(strings(await stored(jsm)), ["1", "2", "3", "4"]);
});

test("a batch where there is none", async (t) => {
  const { js } = await batched(t, {});
  await refusedApi(js.startBatch("s.1", "1"), 10174, "atomic publish is disabled");
});

test("a batch that expects what does not hold", async (t) => {
  const { js, jsm } = await batched(t);
  await js.publish("s.1", "first");
  const batch = await js.startBatch("s.1", "1", { expect: { lastSequence: 9 } });
  await refused(batch.commit("s.2", "2"), { message: "batch didn't contain number of published messages" });
  assert.equal((await jsm.streams.info("S")).state.messages, 1);
});

test("a batch with a gap", async (t) => {
  const { js, jsm } = await batched(t);
  const batch = await js.startBatch("s.1", "1");
  batch.count++;
  const error = await refused(batch.commit("s.2", "2"));
  assert.match(error.message, /batch/);
  assert.equal((await jsm.streams.info("S")).state.messages, 0);
});

test("two batches beside each other", async (t) => {
  const { js, jsm } = await batched(t);
  const [a, b] = [await js.startBatch("s.a", "a1"), await js.startBatch("s.b", "b1")];
  a.add("s.a", "a2");
  b.add("s.b", "b2");
  await b.commit("s.b", "b3");
  await a.commit("s.a", "a3");
  assert.deepEqual(strings(await stored(jsm)), ["b1", "b2", "b3", "a1", "a2", "a3"]);
});

test("messages of a batch keep their headers", async (t) => {
  const { js, jsm } = await batched(t);
  const h = headers();
  h.set("k", "v");
  const batch = await js.startBatch("s.1", "1", { headers: h });
  await batch.commit("s.2", "2");
  const [one] = await stored(jsm);
  assert.equal(one.header.get("k"), "v");
  assert.equal(one.header.get("Nats-Batch-Sequence"), "1");
});

// -- fast batches -----------------------------------------------------------------------------------

test("a fast batch", async (t) => {
  const { nc, jsm } = await batched(t, { allow_batched: true });
  const batch = await startFastIngest(nc, "s.0", "0", { allowGaps: false, ackInterval: 5 });
  for (let i = 1; i < 40; i++) await batch.add(`s.${i}`, String(i));
  const ack = await batch.last("s.40", "40");
  assert.deepEqual([ack.stream, ack.seq, ack.batch, ack.count], ["S", 41, batch.batch, 41]);
  assert.deepEqual(strings(await stored(jsm)), Array.from({ length: 41 }, (_, i) => String(i)));
  assert.deepEqual(await batch.done(), ack);
});

test("a fast batch that ends without a last message", async (t) => {
  const { nc, jsm } = await batched(t, { allow_batched: true });
  const batch = await startFastIngest(nc, "s.0", "0", { allowGaps: true });
  await batch.add("s.1", "1");
  const progress = await batch.ping();
  assert.deepEqual(progress, { batchSeq: 2, ackSeq: 0 }); // ten of them would be acked
  const ack = await batch.end();
  assert.equal(ack.count, 2);
  assert.equal((await jsm.streams.info("S")).state.messages, 2);
});

test("a fast batch where there is none", async (t) => {
  const { nc } = await batched(t, {});
  await refused(startFastIngest(nc, "s.0", "0", { allowGaps: true }, 1000));
});

// -- schedules --------------------------------------------------------------------------------------

test("a message for later", async (t) => {
  const { js, jsm } = await batched(t, { allow_msg_schedules: true });
  const schedule = { specification: new Date(Date.now() + 1000), target: "s.target" };
  await js.publish("s.schedule", "later", { schedule });
  const msg = await until(() => jsm.streams.getMessage("S", { last_by_subj: "s.target" }), "the message", 10_000);
  assert.equal(msg.string(), "later");
  assert.equal(msg.header.get("Nats-Scheduler"), "s.schedule");
  assert.equal(msg.header.get("Nats-Schedule-Next"), "purge");
  assert.equal(await jsm.streams.getMessage("S", { last_by_subj: "s.schedule" }), null);
});

test("a message every second", async (t) => {
  const { js, jsm } = await batched(t, { allow_msg_schedules: true });
  await js.publish("s.schedule", "tick", { schedule: { specification: { every: "1s" }, target: "s.target" } });
  await until(async () => (await jsm.streams.info("S", { subjects_filter: ">" })).state.subjects["s.target"] >= 2, "ticks", 10_000);
  const schedule = await jsm.streams.getMessage("S", { last_by_subj: "s.schedule" });
  assert.equal(schedule.header.get("Nats-Schedule"), "@every 1s");
});

test("a schedule is called off", async (t) => {
  const { js, jsm } = await batched(t, { allow_msg_schedules: true });
  await js.publish("s.schedule", "later", { schedule: { specification: new Date(Date.now() + 60_000), target: "s.target" } });
  await js.publish("s.target", "now", { cancelSchedule: { scheduleSubject: "s.schedule" } });
  assert.equal(await jsm.streams.getMessage("S", { last_by_subj: "s.schedule" }), null);
  assert.equal((await jsm.streams.getMessage("S", { last_by_subj: "s.target" })).string(), "now");
});

for (const [schedule, code] of [
  [{ specification: "nonsense", target: "s.target" }, 10189],
  [{ specification: "@every 1s", target: "other" }, 10190],
  [{ specification: "@every 1s", target: "s.target", ttl: "x" }, 10191],
  [{ specification: "@every 1s" }, 10190],
]) {
  test(`a schedule of ${JSON.stringify(schedule)}`, async (t) => {
    const { js } = await batched(t, { allow_msg_schedules: true, allow_msg_ttl: true });
    const error = await refused(js.publish("s.schedule", "x", { schedule }));
    assert.equal(error.code, code, error.message);
  });
}

test("a schedule where there is none", async (t) => {
  const { js } = await batched(t, {});
  await refusedApi(
    js.publish("s.schedule", "x", { schedule: { specification: "@every 1s", target: "s.target" } }),
    10188,
    "message schedules is disabled",
  );
});

// -- counters ---------------------------------------------------------------------------------------

async function count(js, subject, by) {
  const h = headers();
  h.set("Nats-Incr", by);
  return js.publish(subject, "", { headers: h });
}

test("a counter", async (t) => {
  const { js, jsm } = await batched(t, { allow_msg_counter: true });
  assert.equal((await count(js, "s.a", "5")).val, "5");
  assert.equal((await count(js, "s.a", "-7")).val, "-2");
  assert.equal((await count(js, "s.b", "+100000000000000000000")).val, "100000000000000000000");
  const msg = await jsm.streams.getMessage("S", { last_by_subj: "s.a" });
  assert.deepEqual(msg.json(), { val: "-2" });
  assert.equal(msg.header.get("Nats-Incr"), "-7");
});

test("a counter that is none", async (t) => {
  const { js } = await batched(t, { allow_msg_counter: true });
  await refusedApi(js.publish("s.a", "x"), 10169, "message counter increment is missing");
  await refusedApi(count(js, "s.a", "x"), 10171, "message counter increment is invalid");
});

test("a counter where there is none", async (t) => {
  const { js } = await batched(t, {});
  await refusedApi(count(js, "s.a", "1"), 10168, "message counters is disabled");
});

// -- copies -----------------------------------------------------------------------------------------

test("a mirror", async (t) => {
  const { js, jsm } = await begin(t);
  await streamOf(jsm, js, 3);
  const { config } = await jsm.streams.add({ name: "M", mirror: { name: "S" } });
  assert.deepEqual(config.mirror, { name: "S" });
  await reaches(jsm, "M", 3);
  await js.publish("s.new", "new");
  await reaches(jsm, "M", 4);
  assert.deepEqual(strings(await stored(jsm, "M")), ["0", "1", "2", "new"]);
  const { mirror } = await jsm.streams.info("M");
  assert.deepEqual([mirror.name, mirror.lag], ["S", 0]);
});

test("a mirror of a part", async (t) => {
  const { js, jsm } = await begin(t);
  await streamOf(jsm, js, 5);
  await jsm.streams.add({ name: "M", mirror: { name: "S", opt_start_seq: 3 } });
  await reaches(jsm, "M", 3);
  await jsm.streams.add({ name: "F", mirror: { name: "S", filter_subject: "s.1" } });
  await reaches(jsm, "F", 1);
});

test("sources", async (t) => {
  const { js, jsm } = await begin(t);
  for (const name of ["A", "B"]) {
    await jsm.streams.add({ name, subjects: [`${name}.>`] });
    await js.publish(`${name}.1`, name);
  }
  await jsm.streams.add({
    name: "ALL",
    subjects: ["own"],
    sources: [{ name: "A" }, { name: "B", subject_transforms: [{ src: "B.>", dest: "from.b.>" }] }],
  });
  await reaches(jsm, "ALL", 2);
  await js.publish("own", "own");
  const msgs = await stored(jsm, "ALL");
  assert.deepEqual(msgs.map((msg) => msg.subject).sort(), ["A.1", "from.b.1", "own"]);
  const { sources } = await jsm.streams.info("ALL");
  assert.deepEqual(sources.map(({ name, lag }) => [name, lag]).sort(), [["A", 0], ["B", 0]]);
  assert.match(msgs.find((msg) => msg.subject === "A.1").header.get("Nats-Stream-Source"), /^A 1 /);
});

test("a source that comes later", async (t) => {
  const { js, jsm } = await begin(t);
  await jsm.streams.add({ name: "ALL", sources: [{ name: "S" }] });
  await streamOf(jsm, js, 2);
  await until(async () => (await jsm.streams.info("ALL")).state.messages === 2, "both", 20_000);
});

test("a subject transform", async (t) => {
  const { js, jsm } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.*.*"], subject_transform: { src: "s.*.*", dest: "t.{{wildcard(2)}}.{{wildcard(1)}}" } });
  await js.publish("s.a.b");
  assert.equal((await stored(jsm))[0].subject, "t.b.a");
});

test("republish", async (t) => {
  const { js, jsm, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], republish: { src: "s.>", dest: "copy.>" } });
  const sub = nc.subscribe("copy.>");
  await js.publish("s.1", "one");
  await js.publish("s.1", "two");
  const msgs = await take(sub, 2);
  assert.deepEqual(msgs.map((msg) => [msg.subject, msg.string()]), [["copy.1", "one"], ["copy.1", "two"]]);
  const h = msgs[1].headers;
  assert.deepEqual(
    ["Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Last-Sequence"].map((name) => h.get(name)),
    ["S", "s.1", "2", "1"],
  );
});

test("republish of headers only", async (t) => {
  const { js, jsm, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], republish: { src: "s.>", dest: "copy.>", headers_only: true } });
  const sub = nc.subscribe("copy.>");
  await js.publish("s.1", "12345");
  const [msg] = await take(sub, 1);
  assert.deepEqual([msg.data.length, msg.headers.get("Nats-Msg-Size")], [0, "5"]);
});
