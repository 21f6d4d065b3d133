// What a JetStreamManager does with streams and their messages.
import { test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { headers, nanos } from "@nats-io/transport-node";
import { assert, begin, collect, refused, refusedApi, streamOf, until } from "./helpers.mjs";

test("a stream's configuration as it is stored", async (t) => {
  const { jsm } = await begin(t);
  const { config, state, created, type } = await jsm.streams.add({ name: "S", subjects: ["s.>", "t"] });
  const { metadata, ...rest } = config;
  assert.deepEqual(rest, {
    name: "S",
    subjects: ["s.>", "t"],
    retention: "limits",
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_age: 0,
    max_msgs_per_subject: -1,
    max_msg_size: -1,
    discard: "old",
    storage: "file",
    num_replicas: 1,
    duplicate_window: 120_000_000_000,
    compression: "none",
    allow_direct: false,
    mirror_direct: false,
    sealed: false,
    deny_delete: false,
    deny_purge: false,
    allow_rollup_hdrs: false,
    consumer_limits: {},
    allow_msg_ttl: false,
    ...Object.fromEntries(Object.entries(rest).filter(([key]) => key.startsWith("allow_") || key === "persist_mode")),
  });
  assert.deepEqual(Object.keys(metadata).sort(), ["_nats.level", "_nats.req.level", "_nats.ver"]);
  assert.deepEqual(state, {
    messages: 0,
    bytes: 0,
    first_seq: 0,
    first_ts: "0001-01-01T00:00:00Z",
    last_seq: 0,
    last_ts: "0001-01-01T00:00:00Z",
    consumer_count: 0,
  });
  assert.match(created, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(type, "io.nats.jetstream.api.v1.stream_create_response");
});

for (const config of [
  { description: "what it is for" },
  { storage: "memory" },
  { max_msgs: 10, discard: "new" },
  { max_msgs_per_subject: 2, discard: "new", discard_new_per_subject: true },
  { max_bytes: 4096 },
  { max_age: 60_000_000_000 },
  { max_msg_size: 100 },
  { max_consumers: 3 },
  { retention: "interest" },
  { retention: "workqueue" },
  { no_ack: true },
  { duplicate_window: 5_000_000_000 },
  { deny_delete: true, deny_purge: true },
  { allow_rollup_hdrs: true },
  { allow_direct: true },
  { metadata: { color: "blue" } },
  { compression: "s2" },
  { first_seq: 100 },
  { subject_transform: { src: "s.>", dest: "x.>" } },
  { republish: { src: ">", dest: "copy.>", headers_only: true } },
  { consumer_limits: { max_ack_pending: 7, inactive_threshold: 60_000_000_000 } },
  { allow_msg_ttl: true },
  { allow_msg_ttl: true, subject_delete_marker_ttl: 2_000_000_000, allow_rollup_hdrs: true },
  { allow_atomic: true },
  { allow_msg_counter: true },
  { allow_msg_schedules: true },
  { allow_batched: true },
  { persist_mode: "async" },
  { sealed: false },
]) {
  test(`a stream with ${JSON.stringify(config)}`, async (t) => {
    const { jsm } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
    const { config: stored } = await jsm.streams.info("S");
    for (const [name, value] of Object.entries(config)) {
      if (name === "metadata") assert.equal(stored.metadata.color, value.color);
      else assert.deepEqual(stored[name], value, name);
    }
  });
}

test("names that are none", async (t) => {
  const { jsm, nc } = await begin(t);
  for (const name of ["", "a.b", "a b", "a*", "a>", "a/b"]) await refused(jsm.streams.add({ name, subjects: ["s"] }));
  const answer = (await nc.request("$JS.API.STREAM.CREATE.a.b", "{}").catch((error) => error)) ?? {};
  assert.ok(answer instanceof Error || answer.json().error);
});

for (const [config, code, message] of [
  [{ name: "S", subjects: ["other"] }, 10058, "stream name already in use with a different configuration"],
  [{ subjects: ["s.1"] }, 10065, "subjects overlap with an existing stream"],
  [{ subjects: ["t.*", "t.1"] }, 10052, 'subject "t.*" overlaps with "t.1"'],
  [{ num_replicas: 3 }, 10074, "replicas > 1 not supported in non-clustered mode"],
  [{ num_replicas: 6 }, 10052, "maximum replicas is 5"],
  [{ subjects: ["$JS.API.>"] }, 10052, "subjects that overlap with jetstream api require no-ack to be true"],
  [{ subjects: ["$SYS.>"] }, 10052, "subjects that overlap with system api require no-ack to be true"],
  [{ subjects: [">"] }, 10052, "capturing all subjects requires no-ack to be true"],
  [{ subjects: ["a b"] }, 10052, "invalid subject"],
  [{ subjects: ["a..b"] }, 10052, "invalid subject"],
  [{ mirror: { name: "S" } }, 10034, "stream mirrors can not contain subjects"],
  [{ subjects: undefined, mirror: { name: "T" } }, 10052, "detected cycle"],
  [{ subjects: undefined, sources: [{ name: "T" }] }, 10052, "detected cycle"],
  [{ sources: [{ name: "S" }, { name: "S" }] }, 10140, "duplicate source configuration detected"],
  [{ retention: "odd" }, 10025, 'invalid JSON: can not unmarshal "\\"odd\\""'],
  [{ storage: "odd" }, 10025, 'invalid JSON: can not unmarshal "\\"odd\\""'],
  [{ discard: "odd" }, 10025, 'invalid JSON: can not unmarshal "\\"odd\\""'],
  [{ compression: "odd" }, 10025, "invalid JSON: unknown compression algorithm"],
  [{ no_such_field: 1 }, 10025, 'invalid JSON: json: unknown field "no_such_field"'],
  [{ discard_new_per_subject: true }, 10052, "discard new per subject requires discard new policy to be set"],
  [{ max_age: -5 }, 10052, "max age can not be negative"],
  [{ max_age: 5 }, 10052, "max age needs to be >= 100ms"],
  [{ sealed: true }, 10052, "stream configuration for create can not be sealed"],
  [{ description: "x".repeat(5000) }, 10052, "stream description is too long, maximum allowed is 4096"],
  [{ metadata: { x: "y".repeat(200_000) } }, 10052, "stream metadata exceeds maximum size of 131072 bytes"],
  [{ name: "T".repeat(300) }, 10052, "stream name is too long, maximum allowed is 255"],
  [{ subject_delete_marker_ttl: 5 }, 10052, "subject delete marker TTL must be at least 1 second"],
  [{ republish: { src: ">", dest: "t" } }, 10052, "stream configuration for republish destination forms a cycle"],
  [
    { subject_transform: { src: "t.*", dest: "x.{{wildcard(3)}}" } },
    10156,
    "stream transform: invalid mapping destination: wildcard index out of range in {{wildcard(3)}}: [3]",
  ],
  [{ allow_msg_counter: true, discard: "new" }, 10052, "counter stream cannot use discard new"],
]) {
  test(`a stream with ${JSON.stringify(config).slice(0, 80)} is refused`, async (t) => {
    const { jsm } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    const error = await refusedApi(jsm.streams.add({ name: "T", subjects: ["t"], ...config }), code, message);
    assert.equal(error.name, "JetStreamApiError");
  });
}

test("the same stream again", async (t) => {
  const { jsm } = await begin(t);
  const first = await jsm.streams.add({ name: "S", subjects: ["s"] });
  const again = await jsm.streams.add({ name: "S", subjects: ["s"] });
  assert.equal(again.created, first.created);
});

test("the leader of a stream is the server itself, by name", async (t) => {
  const { jsm, nc } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s"] });
  assert.deepEqual((await jsm.streams.info("S")).cluster, { leader: nc.info.server_name });
});

test("update", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 5);
  const { config, state } = await jsm.streams.update("S", { max_msgs: 2, description: "less", subjects: ["s.>", "u"] });
  assert.deepEqual([config.max_msgs, config.description, config.subjects], [2, "less", ["s.>", "u"]]);
  assert.deepEqual([state.messages, state.first_seq, state.last_seq], [2, 4, 5]);
  await js.publish("u");
});

for (const [change, code, message] of [
  [{ storage: "memory" }, 10052, /can not change storage type/],
  [{ retention: "workqueue" }, 10052, /can not change retention policy/],
  [{ num_replicas: 3 }, 10074, /replicas > 1/],
  [{ name: "T" }, 10056, /stream name in subject does not match request/],
]) {
  test(`an update of ${JSON.stringify(change)} is refused`, async (t) => {
    const { jsm } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    const error = await refused(jsm.streams.update("S", change));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  });
}

test("update and delete of what is not there", async (t) => {
  const { jsm } = await begin(t);
  for (const verb of ["update", "delete", "info", "purge"]) {
    const error = await refusedApi(jsm.streams[verb]("N"), 10059, "stream not found");
    assert.equal(error.name, "StreamNotFoundError");
    assert.equal(error.status, 404);
  }
});

test("seal", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2);
  const { config } = await jsm.streams.update("S", { sealed: true });
  assert.deepEqual([config.sealed, config.deny_delete, config.deny_purge, config.discard], [true, true, true, "new"]);
  await refusedApi(js.publish("s.0"), 10109, "invalid operation on sealed stream");
  await refusedApi(jsm.streams.deleteMessage("S", 1), 10109, "invalid operation on sealed stream");
  await refusedApi(jsm.streams.purge("S"), 10109, "invalid operation on sealed stream");
});

test("info with deleted details", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 6);
  for (const seq of [2, 4, 5]) await jsm.streams.deleteMessage("S", seq);
  assert.equal((await jsm.streams.info("S")).state.deleted, undefined);
  const { state } = await jsm.streams.info("S", { deleted_details: true });
  assert.deepEqual([state.num_deleted, state.deleted, state.messages], [3, [2, 4, 5], 3]);
});

test("info with subjects", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  await js.publish("s.1", "again");
  await js.publish("s.x.y", "deep");
  const { state } = await jsm.streams.info("S", { subjects_filter: ">" });
  assert.deepEqual(state.subjects, { "s.0": 1, "s.1": 2, "s.2": 1, "s.x.y": 1 });
  assert.equal(state.num_subjects, 4);
  const part = await jsm.streams.info("S", { subjects_filter: "s.*" });
  assert.deepEqual(part.state.subjects, { "s.0": 1, "s.1": 2, "s.2": 1 });
  const none = await jsm.streams.info("S", { subjects_filter: "none" });
  assert.deepEqual(none.state.subjects ?? {}, {});
});

test("list, names and find", async (t) => {
  const { jsm } = await begin(t);
  assert.deepEqual(await collect(jsm.streams.list()), []);
  for (const name of ["B", "A", "C"]) await jsm.streams.add({ name, subjects: [`${name}.>`] });
  assert.deepEqual((await collect(jsm.streams.names())).sort(), ["A", "B", "C"]);
  assert.deepEqual((await collect(jsm.streams.list())).map((si) => si.config.name).sort(), ["A", "B", "C"]);
  assert.deepEqual(await collect(jsm.streams.names("A.x")), ["A"]);
  assert.deepEqual((await collect(jsm.streams.list("B.>"))).map((si) => si.config.name), ["B"]);
  assert.deepEqual(await collect(jsm.streams.names("nothing")), []);
  assert.equal(await jsm.streams.find("C.d.e"), "C");
  await refused(jsm.streams.find("nothing"), { message: /no stream matches subject/ });
});

test("lists are paged", async (t) => {
  const { jsm } = await begin(t);
  for (let i = 0; i < 300; i++) await jsm.streams.add({ name: `S${i}`, subjects: [`s.${i}`], storage: "memory" });
  const lister = jsm.streams.list();
  assert.equal((await lister.next()).length, 256);
  assert.equal((await lister.next()).length, 44);
  assert.equal((await lister.next()).length, 0);
  assert.equal((await collect(jsm.streams.names())).length, 300);
});

for (const [what, options, purged, left] of [
  ["everything", undefined, 6, []],
  ["up to a sequence", { seq: 4 }, 3, [4, 5, 6]],
  ["but the newest", { keep: 2 }, 4, [5, 6]],
  ["a subject", { filter: "s.a" }, 3, [2, 4, 6]],
  ["a subject up to a sequence", { filter: "s.a", seq: 4 }, 2, [2, 4, 5, 6]],
  ["a subject but the newest", { filter: "s.a", keep: 1 }, 2, [2, 4, 5, 6]],
  ["nothing", { filter: "none" }, 0, [1, 2, 3, 4, 5, 6]],
]) {
  test(`purge ${what}`, async (t) => {
    const { jsm, js } = await begin(t);
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    for (let i = 0; i < 6; i++) await js.publish(i % 2 ? "s.b" : "s.a", String(i));
    const answer = await jsm.streams.purge("S", options);
    assert.deepEqual([answer.success, answer.purged], [true, purged]);
    const seqs = [];
    for (let seq = 1; seq <= 6; seq++) if (await jsm.streams.getMessage("S", { seq })) seqs.push(seq);
    assert.deepEqual(seqs, left);
  });
}

test("seq and keep do not go together", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  await refused(jsm.streams.purge("S", { seq: 1, keep: 1 }), { name: "InvalidArgumentError" });
});

test("a stream that must not be purged or lose messages", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1, { deny_purge: true, deny_delete: true });
  await refusedApi(jsm.streams.purge("S"), 10110, "stream purge not permitted");
  await refusedApi(jsm.streams.deleteMessage("S", 1), 10057, "message delete not permitted");
});

test("getMessage", async (t) => {
  const { jsm, js } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s.>"] });
  const h = headers();
  h.append("k", "v");
  h.append("k", "w");
  await js.publish("s.1", "one", { headers: h });
  await js.publish("s.2", "two");
  await js.publish("s.1", "three");
  const one = await jsm.streams.getMessage("S", { seq: 1 });
  assert.deepEqual([one.subject, one.seq, one.string(), one.header.values("k")], ["s.1", 1, "one", ["v", "w"]]);
  assert.ok(Math.abs(one.time.getTime() - Date.now()) < 60_000);
  assert.equal((await jsm.streams.getMessage("S", { last_by_subj: "s.1" })).string(), "three");
  assert.equal((await jsm.streams.getMessage("S", { last_by_subj: "s.2" })).seq, 2);
  assert.equal((await jsm.streams.getMessage("S", { next_by_subj: "s.*", seq: 2 })).seq, 2);
  assert.equal(await jsm.streams.getMessage("S", { seq: 9 }), null);
  assert.equal(await jsm.streams.getMessage("S", { last_by_subj: "s.9" }), null);
  await refused(jsm.streams.getMessage("N", { seq: 1 }), { code: 10059 });
});

test("deleteMessage", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  assert.equal(await jsm.streams.deleteMessage("S", 2), true);
  assert.equal(await jsm.streams.deleteMessage("S", 3, false), true);
  assert.equal(await jsm.streams.getMessage("S", { seq: 2 }), null);
  await refusedApi(jsm.streams.deleteMessage("S", 2), 10043, "sequence 2 not found");
  await refusedApi(jsm.streams.deleteMessage("S", 9), 10057, "stream store EOF");
});

test("a stream object", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 3);
  const stream = await js.streams.get("S");
  assert.equal(stream.name, "S");
  assert.equal((await stream.info()).state.messages, 3);
  assert.equal((await stream.info(true)).config.name, "S");
  assert.deepEqual((await stream.info(false, { subjects_filter: "s.1" })).state.subjects, { "s.1": 1 });
  assert.equal((await stream.getMessage({ seq: 2 })).string(), "1");
  assert.equal(await stream.deleteMessage(2), true);
  assert.equal((await stream.best()).name, "S");
  assert.deepEqual(await stream.alternates(), []);
  await refusedApi(js.streams.get("N"), 10059, "stream not found");
});

test("delete", async (t) => {
  const { jsm } = await begin(t);
  await jsm.streams.add({ name: "S", subjects: ["s"] });
  assert.equal(await jsm.streams.delete("S"), true);
  await refused(jsm.streams.info("S"), { name: "StreamNotFoundError" });
});

test("account info", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2);
  await jsm.streams.add({ name: "M", subjects: ["m"], storage: "memory" });
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  const info = await jsm.getAccountInfo();
  assert.deepEqual([info.streams, info.consumers, info.memory], [2, 1, 0]);
  assert.ok(info.storage > 0);
  assert.deepEqual(info.limits, {
    max_memory: -1,
    max_storage: -1,
    max_streams: -1,
    max_consumers: -1,
    max_ack_pending: -1,
    memory_max_stream_bytes: -1,
    storage_max_stream_bytes: -1,
    max_bytes_required: false,
  });
  assert.equal(info.domain, undefined);
  assert.ok(info.api.total >= 4);
  assert.equal(info.api.errors, 0);
  await refused(jsm.streams.info("N"));
  assert.equal((await jsm.getAccountInfo()).api.errors, 1);
});

test("the required level of the API", async (t) => {
  const { nc } = await begin(t);
  const jsm = await jetstreamManager(nc, { sendRequiredApiLevel: true });
  await jsm.streams.add({ name: "S", subjects: ["s"], allow_msg_ttl: true });
  await jsm.streams.add({ name: "C", subjects: ["c"], allow_msg_counter: true });
  await jsm.streams.add({ name: "B", subjects: ["b"], allow_batched: true });
  const h = headers();
  h.set("Nats-Required-Api-Level", "99");
  const { error } = (await nc.request("$JS.API.STREAM.INFO.S", "", { headers: h, timeout: 1000 })).json();
  assert.deepEqual([error.code, error.err_code, error.description], [412, 10185, "JetStream minimum api level required"]);
});

test("a manager that does not look first", async (t) => {
  const { nc } = await begin(t);
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  assert.deepEqual(await collect(jsm.streams.names()), []);
});

test("another prefix has nobody behind it", async (t) => {
  const { nc } = await begin(t);
  await refused(jetstreamManager(nc, { apiPrefix: "other.API" }));
  await refused(jetstreamManager(nc, { domain: "other" }));
});

test("a second pair of eyes sees the same", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 1);
  const again = await js.jetstreamManager();
  assert.equal((await again.streams.info("S")).state.messages, 1);
  assert.equal((await jsm.jetstream().publish("s.0")).seq, 2);
});

test("messages age", async (t) => {
  const { jsm, js } = await begin(t);
  await streamOf(jsm, js, 2, { max_age: nanos(150), duplicate_window: nanos(100) });
  const state = await until(async () => {
    const { state } = await jsm.streams.info("S");
    return state.messages === 0 && state;
  });
  assert.deepEqual([state.first_seq, state.last_seq], [3, 2]);
});

test("advisories of the API", async (t) => {
  const { jsm } = await begin(t);
  const iterator = jsm.advisories();
  const seen = [];
  (async () => {
    for await (const one of iterator) seen.push(one);
  })();
  await jsm.streams.add({ name: "S", subjects: ["s"] });
  await jsm.consumers.add("S", { durable_name: "d", ack_policy: "explicit" });
  await jsm.consumers.delete("S", "d");
  await jsm.streams.delete("S");
  await until(() => seen.some(({ kind, data }) => kind === "stream_action" && data.action === "delete"));
  const actions = seen.filter(({ kind }) => kind.endsWith("_action")).map(({ kind, data }) => `${kind} ${data.action}`);
  assert.deepEqual(actions.sort(), ["consumer_action create", "consumer_action delete", "stream_action create", "stream_action delete"]);
  const audits = seen.filter(({ kind }) => kind === "api_audit").map(({ data }) => data.subject);
  assert.ok(audits.includes("$JS.API.STREAM.CREATE.S"), String(audits));
});
