// What a JetStreamManager does with consumers.
import { test } from "node:test";
import { nanos } from "@nats-io/transport-node";
import { assert, begin, collect, first, refused, refusedApi, streamOf, until } from "./helpers.mjs";

test("a consumer's configuration as it is stored", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  const info = await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const { metadata, ...config } = info.config;
  assert.deepEqual(config, {
    durable_name: "d",
    name: "d",
    deliver_policy: "all",
    ack_policy: "explicit",
    ack_wait: 30_000_000_000,
    max_deliver: -1,
    replay_policy: "instant",
    max_waiting: 512,
    max_ack_pending: 1000,
    num_replicas: 0,
  });
  assert.ok(metadata["_nats.level"]);
  assert.deepEqual(info.delivered, { consumer_seq: 0, stream_seq: 0 });
  assert.deepEqual(info.ack_floor, { consumer_seq: 0, stream_seq: 0 });
  assert.deepEqual(
    [info.stream_name, info.name, info.num_ack_pending, info.num_redelivered, info.num_waiting, info.num_pending],
    ["S", "d", 0, 0, 0, 3],
  );
  assert.equal(info.type, "io.nats.jetstream.api.v1.consumer_create_response");
});

for (const [what, config] of [
  ["a name but no durable", { name: "n" }],
  ["no name at all", {}],
  ["a durable name", { durable_name: "d" }],
  ["both names", { durable_name: "d", name: "d" }],
  ["one filter", { durable_name: "d", filter_subject: "s.1" }],
  ["several filters", { durable_name: "d", filter_subjects: ["s.1", "s.2"] }],
  ["a filter of everything", { durable_name: "d", filter_subject: ">" }],
  ["no acks", { durable_name: "d", ack_policy: "none" }],
  ["acks of all before", { durable_name: "d", ack_policy: "all" }],
  ["a description", { durable_name: "d", description: "words" }],
  ["metadata", { durable_name: "d", metadata: { a: "b" } }],
  ["limits of pulls", { durable_name: "d", max_waiting: 4, max_batch: 5, max_expires: 2_000_000_000, max_bytes: 1000 }],
  ["a backoff", { durable_name: "d", backoff: [1_000_000_000, 2_000_000_000], max_deliver: 3 }],
  ["a sample", { durable_name: "d", sample_freq: "50%" }],
  ["inactivity", { name: "n", inactive_threshold: 3_000_000_000 }],
  ["memory", { durable_name: "d", mem_storage: true }],
  ["headers only", { durable_name: "d", headers_only: true }],
  ["the last message", { durable_name: "d", deliver_policy: "last" }],
  ["new messages", { durable_name: "d", deliver_policy: "new" }],
  ["the last of each subject", { durable_name: "d", deliver_policy: "last_per_subject", filter_subject: ">" }],
  ["a first sequence", { durable_name: "d", deliver_policy: "by_start_sequence", opt_start_seq: 2 }],
  ["a first time", { durable_name: "d", deliver_policy: "by_start_time", opt_start_time: "2020-01-01T00:00:00Z" }],
  ["original pace", { durable_name: "d", replay_policy: "original" }],
  ["a pause", { durable_name: "d", pause_until: "2090-01-01T00:00:00Z" }],
  ["a push subject", { durable_name: "d", deliver_subject: "to.me" }],
  ["a push group", { durable_name: "d", deliver_subject: "to.me", deliver_group: "g" }],
  ["flow control", { durable_name: "d", deliver_subject: "to.me", flow_control: true, idle_heartbeat: 1_000_000_000 }],
  ["a rate", { durable_name: "d", deliver_subject: "to.me", rate_limit_bps: 8000 }],
  ["overflow", { durable_name: "d", priority_groups: ["g"], priority_policy: "overflow" }],
  ["pinning", { durable_name: "d", priority_groups: ["g"], priority_policy: "pinned_client", priority_timeout: 4_000_000_000 }],
  ["priorities", { durable_name: "d", priority_groups: ["g"], priority_policy: "prioritized" }],
]) {
  test(`a consumer with ${what}`, async (t) => {
    const { jsm, js } = await begin(t);
    await streamOf(jsm, js, 4);
    const added = await jsm.consumers.add("S", { ack_policy: "explicit", ...config });
    const info = await jsm.consumers.info("S", added.name);
    for (const [name, value] of Object.entries(config)) {
      if (name === "metadata") assert.equal(info.config.metadata.a, "b");
      else if (value === ">" && name === "filter_subject") assert.ok([undefined, ">"].includes(info.config[name]));
      else assert.deepEqual(info.config[name], value, name);
    }
    if (!config.name && !config.durable_name) assert.match(added.name, /^[A-Za-z0-9]{8}$/);
    assert.equal(info.config.durable_name, config.durable_name);
    assert.equal(added.name, info.name);
  });
}

for (const [config, code, message] of [
  [{ durable_name: "a.b" }, "InvalidNameError", "durable name ('a.b') cannot contain '.'"],
  [{ name: "a b" }, "Error", "consumer 'name' cannot contain ' '"],
  [{ durable_name: "d", ack_policy: "none", deliver_policy: "last_per_subject" }, 10094, "consumer delivery policy is deliver last per subject, but optional filter subject is not set"],
  [{ durable_name: "d", deliver_policy: "by_start_sequence" }, 10094, "consumer delivery policy is deliver by start sequence, but optional start sequence is not set"],
  [{ durable_name: "d", deliver_policy: "by_start_time" }, 10094, "consumer delivery policy is deliver by start time, but optional start time is not set"],
  [{ durable_name: "d", opt_start_seq: 3 }, 10094, "consumer delivery policy is deliver all, but optional start sequence is also set"],
  [{ durable_name: "d", filter_subject: "s.1", filter_subjects: ["s.2"] }, 10136, "consumer cannot have both FilterSubject and FilterSubjects specified"],
  [{ durable_name: "d", filter_subjects: ["s.*", "s.1"] }, 10138, "consumer subject filters cannot overlap"],
  [{ durable_name: "d", filter_subjects: [""] }, 10139, "consumer filter in FilterSubjects cannot be empty"],
  [{ durable_name: "d", heartbeat: 1, idle_heartbeat: 1_000_000_000 }, 10025, "invalid JSON: json: unknown field \"heartbeat\""],
  [{ durable_name: "d", flow_control: true }, 10089, "consumer flow control requires a push based consumer"],
  [{ durable_name: "d", deliver_subject: "x", max_waiting: 5 }, 10080, "consumer in push mode can not set max waiting"],
  [{ durable_name: "d", deliver_subject: "x", flow_control: true }, 10108, "consumer with flow control also needs heartbeats"],
  [{ durable_name: "d", deliver_subject: "s.x" }, 10081, "consumer deliver subject forms a cycle"],
  [{ durable_name: "d", deliver_subject: "x.*" }, 10079, "consumer deliver subject has wildcards"],
  [{ durable_name: "d", backoff: [1, 2, 3], max_deliver: 2 }, 10116, "max deliver is required to be > length of backoff values"],
  [{ durable_name: "d", replay_policy: "odd" }, 10025, "invalid JSON: can not unmarshal \"\\\"odd\\\"\""],
  [{ durable_name: "d", rate_limit_bps: 10 }, 10086, "consumer in pull mode can not have rate limit set"],
  [{ durable_name: "d", sample_freq: "often" }, 10095, "failed to parse consumer sampling configuration: strconv.Atoi: parsing \"often\": invalid syntax"],
  [{ durable_name: "d", num_replicas: 3 }, 10074, "replicas > 1 not supported in non-clustered mode"],
  [{ durable_name: "d", description: "x".repeat(5000) }, 10107, "consumer description is too long, maximum allowed is 4096"],
  [{ durable_name: "d", priority_groups: ["g"], priority_policy: "none" }, 10196, "consumer can not have priority groups when policy is none"],
  [{ durable_name: "d", no_such_field: 1 }, 10025, "invalid JSON: json: unknown field \"no_such_field\""],
]) {
  test(`a consumer with ${JSON.stringify(config).slice(0, 90)} is refused`, async (t) => {
    const { jsm, js } = await begin(t);
    await streamOf(jsm, js, 1);
    const error = await refused(jsm.consumers.add("S", { ack_policy: "explicit", ...config }));
    assert.deepEqual([error.code ?? error.name, error.message], [code, message]);
  });
}

test("the same consumer again, and another of the same name", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  const one = await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const again = await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  assert.equal(again.created, one.created);
  await refusedApi(jsm.consumers.add("S", { durable_name: "d", ack_policy: "none" }), 10148, "consumer already exists");
});

test("no stream", async (t) => {
  const { jsm } = await begin(t);
  await refusedApi(jsm.consumers.add("N", { durable_name: "d" }), 10059, "stream not found");
  await refusedApi(jsm.consumers.info("N", "d"), 10059, "stream not found");
  await refusedApi(jsm.consumers.delete("N", "d"), 10059, "stream not found");
  await refusedApi(collect(jsm.consumers.list("N")), 10059, "stream not found");
});

test("no consumer", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  for (const ask of [
    () => jsm.consumers.info("S", "n"),
    () => jsm.consumers.delete("S", "n"),
    () => jsm.consumers.update("S", "n", {}),
    () => jsm.consumers.pause("S", "n", new Date(Date.now() + 1000)),
    () => jsm.consumers.unpin("S", "n", "g"),
    () => js.consumers.get("S", "n"),
  ]) {
    const error = await refusedApi(ask(), 10014, "consumer not found");
    assert.equal(error.name, "ConsumerNotFoundError");
  }
});

test("no consumer to reset is not answered at all", async (t) => {
  const { jsm, js } = await begin(t, { js: { timeout: 150 } });
  await streamOf(jsm, js, 1);
  await refused(jsm.consumers.reset("S", "n"), { name: "TimeoutError" });
});

test("update", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const { config, num_pending } = await jsm.consumers.update("S", "d", {
    description: "new",
    max_ack_pending: 5,
    ack_wait: nanos(5000),
    filter_subject: "s.1",
  });
  assert.deepEqual([config.description, config.max_ack_pending, config.ack_wait, config.filter_subject], ["new", 5, 5_000_000_000, "s.1"]);
  assert.equal(num_pending, 1);
});

for (const [change, code, message] of [
  [{ ack_policy: "none" }, 10012, "ack policy can not be updated"],
  [{ deliver_policy: "new" }, 10012, "deliver policy can not be updated"],
  [{ replay_policy: "original" }, 10012, "replay policy can not be updated"],
  [{ deliver_subject: "x" }, 10080, "consumer in push mode can not set max waiting"],
  [{ max_waiting: 7 }, 10012, "max waiting can not be updated"],
  [{ flow_control: true, idle_heartbeat: 1_000_000_000 }, undefined, undefined],
]) {
  test(`an update of ${JSON.stringify(change)} is refused`, async (t) => {
    const { jsm, js } = await begin(t);
    await streamOf(jsm, js, 1);
    await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
    const error = await refused(jsm.consumers.update("S", "d", change));
    if (code) assert.deepEqual([error.code, error.message], [code, message]);
  });
}

test("list", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  assert.deepEqual(await collect(jsm.consumers.list("S")), []);
  for (const name of ["b", "a", "c"]) await jsm.consumers.add("S", { durable_name: name, ack_policy: "explicit" });
  assert.deepEqual((await collect(jsm.consumers.list("S"))).map((ci) => ci.name), ["a", "b", "c"]);
});

test("lists are paged", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1, { storage: "memory" });
  for (let i = 0; i < 260; i++) await jsm.consumers.add("S", { durable_name: `c${String(i).padStart(3, "0")}`, ack_policy: "none" });
  const lister = jsm.consumers.list("S");
  assert.equal((await lister.next()).length, 256);
  assert.equal((await lister.next()).length, 4);
});

test("delete", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  assert.equal(await jsm.consumers.delete("S", "d"), true);
  await refusedApi(jsm.consumers.info("S", "d"), 10014, "consumer not found");
});

test("pause and resume", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const until = new Date(Date.now() + 60_000);
  const paused = await jsm.consumers.pause("S", "d", until);
  assert.equal(paused.paused, true);
  assert.equal(new Date(paused.pause_until).getTime(), until.getTime());
  assert.ok(paused.pause_remaining > 50_000_000_000 && paused.pause_remaining <= 60_000_000_000);
  const info = await jsm.consumers.info("S", "d");
  assert.equal(info.paused, true);
  assert.ok(info.pause_remaining > 0);
  const consumer = await js.consumers.get("S", "d");
  assert.equal(await consumer.next({ expires: 1000 }), null);
  const resumed = await jsm.consumers.resume("S", "d");
  assert.equal(resumed.paused, false);
  assert.equal((await consumer.next({ expires: 2000 })).seq, 1);
});

test("a pause ends by itself", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", pause_until: new Date(Date.now() + 300).toISOString() });
  assert.equal((await (await js.consumers.get("S", "d")).next({ expires: 3000 })).seq, 1);
});

test("reset", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 5);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const consumer = await js.consumers.get("S", "d");
  for (let i = 0; i < 3; i++) {
    const msg = await consumer.next();
    if (i < 2) await msg.ackAck();
  }
  const back = await jsm.consumers.reset("S", "d");
  assert.deepEqual([back.reset_seq, back.num_ack_pending, back.num_pending], [3, 0, 3]);
  assert.equal((await consumer.next()).seq, 3);
  const there = await jsm.consumers.reset("S", "d", 2);
  assert.equal(there.reset_seq, 2);
  assert.equal((await consumer.next()).seq, 2);
  const stream = await js.streams.get("S");
  assert.equal((await stream.resetConsumer("d", 5)).reset_seq, 5);
});

test("reset where it may not be", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 5);
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit", deliver_policy: "new" });
  const error = await refused(jsm.consumers.reset("S", "d", 2));
  assert.equal(error.name, "JetStreamApiError");
});

test("an idle consumer goes away", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  await jsm.consumers.add("S", { name: "n", ack_policy: "explicit", inactive_threshold: nanos(100) });
  await until(async () => jsm.consumers.info("S", "n").then(() => false, (error) => error.code === 10014));
});

test("a consumer of a work queue takes its part alone", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2, { retention: "workqueue" });
  const refusal = "consumer in pull mode requires explicit ack policy on workqueue stream";
  await refusedApi(jsm.consumers.add("S", { durable_name: "d", ack_policy: "none" }), 10084, refusal);
  await jsm.consumers.add("S", { durable_name: "a", ack_policy: "explicit", filter_subject: "s.0" });
  const twice = "filtered consumer not unique on workqueue stream";
  await refusedApi(jsm.consumers.add("S", { durable_name: "b", ack_policy: "explicit", filter_subject: "s.0" }), 10100, twice);
  const wider = "multiple non-filtered consumers not allowed on workqueue stream";
  await refusedApi(jsm.consumers.add("S", { durable_name: "b", ack_policy: "explicit" }), 10099, wider);
  await jsm.consumers.add("S", { durable_name: "c", ack_policy: "explicit", filter_subject: "s.1" });
  const msg = await (await js.consumers.get("S", "a")).next();
  await msg.ackAck();
  assert.equal((await jsm.streams.info("S")).state.messages, 1);
});

test("interest keeps what somebody still wants", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"], retention: "interest" });
  await js.publish("s.1");
  assert.equal((await jsm.streams.info("S")).state.messages, 0);
  for (const name of ["a", "b"]) await jsm.consumers.add("S", { durable_name: name, ack_policy: "explicit" });
  await js.publish("s.2");
  for (const [name, left] of [["a", 1], ["b", 0]]) {
    await (await (await js.consumers.get("S", name)).next()).ackAck();
    assert.equal((await jsm.streams.info("S")).state.messages, left);
  }
});

test("more consumers than a stream bears", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1, { max_consumers: 1 });
  await jsm.consumers.add("S", { durable_name: "a", ack_policy: "explicit" });
  await refusedApi(jsm.consumers.add("S", { durable_name: "b", ack_policy: "explicit" }), 10026, "maximum consumers limit reached");
});

test("a stream's limits of consumers", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1, { consumer_limits: { max_ack_pending: 5, inactive_threshold: nanos(60_000) } });
  const { config } = await jsm.consumers.add("S", { durable_name: "a", ack_policy: "explicit" });
  assert.deepEqual([config.max_ack_pending, config.inactive_threshold], [5, 60_000_000_000]);
  await refused(jsm.consumers.add("S", { durable_name: "b", ack_policy: "explicit", max_ack_pending: 10 }), { code: 10121 });
});

test("pedantic consumers say all themselves", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1, { consumer_limits: { max_ack_pending: 5 } });
  await refused(jsm.consumers.add("S", { durable_name: "a", ack_policy: "explicit" }, { pedantic: true }), { code: 10157 });
});
