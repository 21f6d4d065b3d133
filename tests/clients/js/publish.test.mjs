// Publishing to streams: what the server promises, and what it refuses.
import { test } from "node:test";
import { headers, nanos } from "@nats-io/transport-node";
import { assert, begin, refused, refusedApi, until } from "./helpers.mjs";

test("an ack says where it is", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  assert.deepEqual(await js.publish("s.1"), { stream: "S", seq: 1, duplicate: false });
  assert.deepEqual(await js.publish("s.1", "x"), { stream: "S", seq: 2, duplicate: false });
});

test("no stream there", async (t) => {
  const { js } = await begin(t);
  const error = await refused(js.publish("nothing"));
  assert.equal(error.name, "JetStreamNotEnabled");
  assert.equal(error.cause.isNoResponders(), true);
});

test("no stream there, tried again until there is", async (t) => {
  const { jsm, js } = await begin(t);
  const publishing = js.publish("s.1", "x", { retries: 10 });
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  assert.equal((await publishing).seq, 1);
});

test("message IDs", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  assert.deepEqual(await js.publish("s.1", "x", { msgID: "a" }), { stream: "S", seq: 1, duplicate: false });
  assert.deepEqual(await js.publish("s.2", "y", { msgID: "a" }), { stream: "S", seq: 1, duplicate: true });
  assert.equal((await js.publish("s.1", "x", { msgID: "b" })).seq, 2);
  assert.equal((await jsm.streams.getMessage("S", { seq: 1 })).header.get("Nats-Msg-Id"), "a");
});

test("message IDs are forgotten", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], duplicate_window: nanos(100) });
  await js.publish("s.1", "x", { msgID: "a" });
  await until(async () => !(await js.publish("s.1", "x", { msgID: "a" })).duplicate);
});

test("what is expected of the stream holds", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  await js.publish("s.1", "", { expect: { streamName: "S", lastSequence: 0 }, msgID: "m1" });
  await js.publish("s.1", "", { expect: { lastSequence: 1, lastMsgID: "m1" }, msgID: "m2" });
  await js.publish("s.1", "", { expect: { lastSubjectSequence: 2 } });
  await js.publish("s.2", "", { expect: { lastSubjectSequence: 0 } });
  await js.publish("s.1", "", { expect: { lastSubjectSequence: 4, lastSubjectSequenceSubject: "s.*" } });
  assert.equal((await jsm.streams.info("S")).state.messages, 5);
});

for (const [expect, code, message] of [
  [{ streamName: "T" }, 10060, "expected stream does not match"],
  [{ lastSequence: 9 }, 10071, "wrong last sequence: 2"],
  [{ lastMsgID: "zz" }, 10070, "wrong last msg ID: b"],
  [{ lastSubjectSequence: 2 }, 10071, "wrong last sequence: 1"],
  [{ lastSubjectSequence: 0 }, 10071, "wrong last sequence: 1"],
  [{ lastSubjectSequence: 1, lastSubjectSequenceSubject: "s.*" }, 10071, "wrong last sequence: 2"],
]) {
  test(`what is expected of the stream does not hold: ${JSON.stringify(expect)}`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    await js.publish("s.1", "", { msgID: "a" });
    await js.publish("s.2", "", { msgID: "b" });
    const error = await refusedApi(js.publish("s.1", "x", { expect }), code, message);
    assert.equal(error.status, 400);
  });
}

test("headers are stored", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  const h = headers();
  h.append("a", "1");
  h.append("a", "2");
  await js.publish("s.1", "x", { headers: h });
  const stored = await jsm.streams.getMessage("S", { seq: 1 });
  assert.deepEqual(stored.header.values("a"), ["1", "2"]);
});

for (const [value, left] of [
  ["sub", ["s.2", "s.1"]],
  ["all", ["s.1"]],
]) {
  test(`a rollup of ${value}`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], allow_rollup_hdrs: true });
    for (const subject of ["s.1", "s.2", "s.1"]) await js.publish(subject);
    const h = headers();
    h.set("Nats-Rollup", value);
    await js.publish("s.1", "x", { headers: h });
    const { state } = await jsm.streams.info("S", { subjects_filter: ">" });
    assert.deepEqual(Object.keys(state.subjects).sort(), [...left].sort());
    assert.equal(state.messages, left.length);
  });
}

test("a rollup where there is none", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  const h = headers();
  h.set("Nats-Rollup", "sub");
  await refusedApi(js.publish("s.1", "x", { headers: h }), 10111, "rollup not permitted");
});

for (const [config, code, message] of [
  [{ max_msgs: 2, discard: "new" }, 10077, "maximum messages exceeded"],
  [{ max_bytes: 120, discard: "new" }, 10077, "maximum bytes exceeded"],
  [{ max_msgs_per_subject: 1, discard: "new", discard_new_per_subject: true }, 10077, "maximum messages per subject exceeded"],
  [{ max_msg_size: 3 }, 10054, "message size exceeds maximum allowed"],
]) {
  test(`a stream with ${JSON.stringify(config)} is full`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
    await refusedApi(
      (async () => {
        for (let i = 0; i < 20; i++) await js.publish("s.1", "xyz".repeat(config.max_msg_size ? i : 1));
      })(),
      code,
      message,
    );
  });
}

for (const [config, left] of [
  [{ max_msgs: 3 }, [8, 9, 10]],
  [{ max_msgs_per_subject: 1 }, [9, 10]],
  [{ max_msgs: 3, storage: "memory" }, [8, 9, 10]],
]) {
  test(`a stream with ${JSON.stringify(config)} drops the oldest`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
    for (let i = 0; i < 10; i++) await js.publish(`s.${i % 2}`);
    const seqs = [];
    for (let seq = 1; seq <= 10; seq++) if (await jsm.streams.getMessage("S", { seq })) seqs.push(seq);
    assert.deepEqual(seqs, left);
  });
}

test("a stream without acks", async (t) => {
  const { jsm, js, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], no_ack: true });
  assert.equal((await refused(js.publish("s.1", "x", { timeout: 100 }))).name, "TimeoutError");
  nc.publish("s.2");
  await nc.flush();
  assert.equal((await jsm.streams.info("S")).state.messages, 2);
});

test("an ack that nobody asked for", async (t) => {
  const { jsm, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  nc.publish("s.1", "x");
  await nc.flush();
  assert.equal((await jsm.streams.getMessage("S", { seq: 1 })).string(), "x");
});

test("a thousand at once", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  const acks = await Promise.all(Array.from({ length: 1000 }, (_, i) => js.publish(`s.${i}`, String(i))));
  assert.deepEqual(acks.map((ack) => ack.seq), Array.from({ length: 1000 }, (_, i) => i + 1));
});

test("a request to a stream's subject is answered by its ack and by who listens", async (t) => {
  const { jsm, js, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  const heard = [];
  nc.subscribe("s.>", { callback: (_, msg) => heard.push(msg.string()) });
  await js.publish("s.1", "x");
  await nc.flush();
  assert.deepEqual(heard, ["x"]);
});

test("time to live", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], allow_msg_ttl: true });
  await js.publish("s.1", "short", { ttl: "1s" });
  await js.publish("s.2", "long");
  assert.equal((await jsm.streams.getMessage("S", { seq: 1 })).header.get("Nats-TTL"), "1s");
  await until(async () => (await jsm.streams.info("S")).state.messages === 1);
  await js.publish("s.3", "ever", { ttl: "never" });
});

for (const [ttl, code, message] of [
  ["nonsense", 10165, "invalid per-message TTL"],
  ["1ms", 10165, "invalid per-message TTL"],
  ["-1s", 10165, "invalid per-message TTL"],
]) {
  test(`a time to live of ${ttl}`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], allow_msg_ttl: true });
    await refusedApi(js.publish("s.1", "x", { ttl }), code, message);
  });
}

test("a time to live where there is none", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  await refusedApi(js.publish("s.1", "x", { ttl: "1s" }), 10166, "per-message TTL is disabled");
});

test("what a subject's end leaves behind", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({
    name: "S",
    subjects: ["s.>"],
    allow_msg_ttl: true,
    subject_delete_marker_ttl: nanos(60_000),
    max_age: nanos(300),
    duplicate_window: nanos(200),
  });
  await js.publish("s.1", "x");
  const marker = await until(async () => {
    const msg = await jsm.streams.getMessage("S", { last_by_subj: "s.1" });
    return msg?.seq === 2 && msg;
  });
  assert.equal(marker.header.get("Nats-Marker-Reason"), "MaxAge");
  assert.equal(marker.header.get("Nats-TTL"), "1m0s");
  assert.equal(marker.data.length, 0);
});
