// Buckets of keys and values.
import { test } from "node:test";
import { jetstream } from "@nats-io/jetstream";
import { Base64KeyCodec, Kvm, KvWatchInclude, NoopKvCodecs } from "@nats-io/kv";
import { assert, begin, bytes, collect, connect, refused, take, until } from "./helpers.mjs";

async function bucket(t, options = {}) {
  const world = await begin(t);
  const kvm = new Kvm(world.nc);
  return { ...world, kvm, kv: await kvm.create("B", options) };
}

const wrongRevision = (seq) => ({ code: 10071, message: `wrong last sequence: ${seq}` });

test("put and get", async (t) => {
  const { kv } = await bucket(t);
  assert.equal(await kv.put("k", "v"), 1);
  const entry = await kv.get("k");
  assert.deepEqual(
    [entry.bucket, entry.key, entry.rawKey, entry.string(), entry.revision, entry.operation, entry.length],
    ["B", "k", "k", "v", 1, "PUT", 1],
  );
  assert.ok(Math.abs(entry.created.getTime() - Date.now()) < 60_000);
  assert.equal(await kv.get("none"), null);
  await kv.put("json", JSON.stringify({ a: 1 }));
  assert.deepEqual((await kv.get("json")).json(), { a: 1 });
});

test("get a revision", async (t) => {
  const { kv } = await bucket(t, { history: 5 });
  await kv.put("k", "1");
  await kv.put("other", "x");
  await kv.put("k", "2");
  assert.equal((await kv.get("k", { revision: 1 })).string(), "1");
  assert.equal((await kv.get("k", { revision: 3 })).string(), "2");
  assert.equal(await kv.get("k", { revision: 2 }), null);
  assert.equal(await kv.get("k", { revision: 9 }), null);
});

test("without direct get", async (t) => {
  const { kv } = await bucket(t, { allow_direct: false });
  await kv.put("k", "v");
  assert.equal((await kv.get("k")).string(), "v");
  assert.equal(await kv.get("none"), null);
  assert.equal((await kv.status()).streamInfo.config.allow_direct, false);
});

test("create", async (t) => {
  const { kv } = await bucket(t, { history: 3 });
  assert.equal(await kv.create("k", "1"), 1);
  await refused(kv.create("k", "2"), wrongRevision(1));
  await kv.delete("k");
  assert.equal(await kv.create("k", "3"), 3);
  await kv.purge("k");
  assert.equal(await kv.create("k", "4"), 5);
});

test("update", async (t) => {
  const { kv } = await bucket(t);
  const revision = await kv.put("k", "1");
  assert.equal(await kv.update("k", "2", revision), 2);
  await refused(kv.update("k", "3", revision), wrongRevision(2));
  assert.throws(() => kv.update("k", "3", 0));
});

test("put with the revision that is expected", async (t) => {
  const { kv } = await bucket(t);
  await kv.put("k", "1", { previousSeq: 0 });
  await refused(kv.put("k", "2", { previousSeq: 9 }), wrongRevision(1));
});

test("delete", async (t) => {
  const { kv } = await bucket(t, { history: 5 });
  await kv.put("k", "1");
  await kv.delete("k");
  const entry = await kv.get("k");
  assert.deepEqual([entry.operation, entry.revision, entry.length], ["DEL", 2, 0]);
  await kv.put("k", "2");
  await refused(kv.delete("k", { previousSeq: 1 }), wrongRevision(3));
  await kv.delete("k", { previousSeq: 3 });
});

test("purge", async (t) => {
  const { kv } = await bucket(t, { history: 5 });
  for (const value of ["1", "2", "3"]) await kv.put("k", value);
  await kv.purge("k");
  const entry = await kv.get("k");
  assert.deepEqual([entry.operation, entry.revision], ["PURGE", 4]);
  assert.equal((await kv.status()).values, 1);
  await kv.put("k", "5");
  await refused(kv.purge("k", { previousSeq: 1 }), wrongRevision(5));
});

test("delete and purge of many", async (t) => {
  const { kv } = await bucket(t);
  for (const key of ["a.1", "a.2", "b.1"]) await kv.put(key, "x");
  await kv.delete("a.*");
  assert.deepEqual(await collect(await kv.keys()), ["b.1"]);
  await kv.purge(">");
  assert.deepEqual(await collect(await kv.keys()), []);
});

test("purgeDeletes", async (t) => {
  const { kv } = await bucket(t, { history: 3 });
  for (const key of ["a", "b", "c"]) await kv.put(key, "x");
  await kv.delete("a");
  await kv.delete("b");
  assert.equal((await kv.purgeDeletes(0)).purged, 4);
  assert.equal((await kv.status()).values, 1);
  await kv.delete("c");
  assert.equal((await kv.purgeDeletes()).purged, 1);
});

test("purgeBucket", async (t) => {
  const { kv } = await bucket(t);
  for (const key of ["a", "b"]) await kv.put(key, "x");
  assert.equal((await kv.purgeBucket({ filter: "$KV.B.a" })).purged, 1);
  assert.equal((await kv.purgeBucket()).purged, 1);
});

test("keys", async (t) => {
  const { kv } = await bucket(t, { history: 3 });
  assert.deepEqual(await collect(await kv.keys()), []);
  for (const key of ["a", "b.1", "b.2", "c"]) await kv.put(key, "x");
  await kv.put("a", "again");
  await kv.delete("c");
  assert.deepEqual((await collect(await kv.keys())).sort(), ["a", "b.1", "b.2"]);
  assert.deepEqual((await collect(await kv.keys("b.*"))).sort(), ["b.1", "b.2"]);
  assert.deepEqual((await collect(await kv.keys(["a", "b.2"]))).sort(), ["a", "b.2"]);
  assert.deepEqual(await collect(await kv.keys("none.>")), []);
});

for (const key of ["", ".a", "a.", "a b", "a*", "ä", "a\tb"]) {
  test(`${JSON.stringify(key)} is no key`, async (t) => {
    const { kv } = await bucket(t);
    await refused((async () => kv.put(key, "x"))());
    await refused((async () => kv.get(key))());
  });
}

for (const key of ["a", "A-b_c/d=e", "a.b.c.d", "9", "-", "$x"]) {
  test(`${JSON.stringify(key)} is a key`, async (t) => {
    const { kv } = await bucket(t);
    const put = await (async () => kv.put(key, "x"))().catch((error) => error);
    if (key === "$x") assert.ok(put instanceof Error);
    else assert.equal((await kv.get(key)).key, key);
  });
}

test("names that no bucket has", async (t) => {
  const { kvm } = await bucket(t);
  for (const name of ["", "a.b", "a b", "a*"]) await refused((async () => kvm.create(name))());
});

test("open", async (t) => {
  const { kvm, kv } = await bucket(t);
  await kv.put("k", "v");
  assert.equal((await (await kvm.open("B")).get("k")).string(), "v");
  assert.equal((await (await kvm.open("B", { allow_direct: true })).get("k")).string(), "v");
  await refused((async () => (await kvm.open("N")).get("k"))());
});

test("create of what is there opens it", async (t) => {
  const { kvm, kv } = await bucket(t);
  await kv.put("k", "v");
  assert.equal((await (await kvm.create("B", { history: 9 })).get("k")).string(), "v");
});

test("destroy", async (t) => {
  const { kvm, kv } = await bucket(t);
  assert.equal(await kv.destroy(), true);
  await refused(kv.put("k", "v"), { name: "JetStreamNotEnabled" });
  assert.deepEqual(await collect(kvm.list()), []);
});

test("list", async (t) => {
  const { kvm, jsm } = await bucket(t);
  await kvm.create("C");
  await jsm.streams.add({ name: "no-bucket", subjects: ["x"] });
  assert.deepEqual((await collect(kvm.list())).map((status) => status.bucket).sort(), ["B", "C"]);
});

test("status", async (t) => {
  const { kv } = await bucket(t, {
    description: "d",
    history: 7,
    ttl: 60_000,
    max_bytes: 100_000,
    maxValueSize: 1000,
    storage: "memory",
    compression: false,
    metadata: { a: "b" },
  });
  await kv.put("k", "v");
  const status = await kv.status();
  assert.deepEqual(
    [status.bucket, status.values, status.history, status.ttl, status.description, status.max_bytes, status.maxValueSize],
    ["B", 1, 7, 60_000, "d", 100_000, 1000],
  );
  assert.deepEqual([status.storage, status.backingStore, status.replicas, status.compression, status.markerTTL], ["memory", "memory", 1, false, 0]);
  assert.equal(status.metadata.a, "b");
  assert.ok(status.size > 0);
  assert.deepEqual(status.streamInfo.config.subjects, ["$KV.B.>"]);
  const { config } = status.streamInfo;
  assert.deepEqual([config.discard, config.allow_rollup_hdrs, config.deny_delete, config.duplicate_window], ["new", true, false, 60_000_000_000]);
});

test("compression", async (t) => {
  const { kv } = await bucket(t, { compression: true });
  assert.equal((await kv.status()).compression, true);
});

test("a value that is too large", async (t) => {
  const { kv } = await bucket(t, { maxValueSize: 10 });
  await kv.put("k", "x".repeat(10));
  await refused(kv.put("k", "x".repeat(11)), { code: 10054 });
});

test("a bucket that is full", async (t) => {
  const { kv } = await bucket(t, { max_bytes: 200 });
  await refused((async () => { for (let i = 0; i < 9; i++) await kv.put(`k${i}`, "x".repeat(50)); })(), { code: 10077 });
});

test("values age", async (t) => {
  const { kv } = await bucket(t, { ttl: 200 });
  await kv.put("k", "v");
  await until(async () => (await kv.get("k")) === null);
});

test("values that are bytes", async (t) => {
  const { kv } = await bucket(t);
  const value = Uint8Array.from({ length: 256 }, (_, i) => i);
  await kv.put("k", value);
  assert.deepEqual(Buffer.from((await kv.get("k")).value), Buffer.from(value));
});

test("codecs", async (t) => {
  const { kvm } = await bucket(t);
  const codec = { ...NoopKvCodecs(), key: Base64KeyCodec() };
  const kv = await kvm.create("C", { codec });
  await kv.put("with blank.x", "v");
  const entry = await kv.get("with blank.x");
  assert.equal(entry.string(), "v");
  assert.match(entry.rawKey, /^[A-Za-z0-9=]+\.[A-Za-z0-9=]+$/);
  assert.deepEqual(await collect(await kv.keys()), ["with blank.x"]);
  await kv.delete("with blank.x");
});

test("a codec of values", async (t) => {
  const { kvm } = await bucket(t);
  const turn = (data) => (typeof data === "string" ? bytes(data) : data).map((byte) => byte ^ 255);
  const kv = await kvm.create("C", { codec: { ...NoopKvCodecs(), value: { encode: turn, decode: turn } } });
  await kv.put("k", "v");
  assert.equal((await kv.get("k")).string(), "v");
});

// -- history and watch ------------------------------------------------------------------------------

const said = (entry) => `${entry.key} ${entry.operation} ${entry.string()} ${entry.revision}`;

test("history", async (t) => {
  const { kv } = await bucket(t, { history: 3 });
  assert.deepEqual(await collect(await kv.history()), []);
  for (const value of ["1", "2", "3", "4"]) await kv.put("a", value);
  await kv.put("b", "x");
  await kv.delete("a");
  assert.deepEqual((await collect(await kv.history({ key: "a" }))).map(said), ["a PUT 3 3", "a PUT 4 4", "a DEL  6"]);
  assert.deepEqual((await collect(await kv.history())).map(said), ["a PUT 3 3", "a PUT 4 4", "b PUT x 5", "a DEL  6"]);
  assert.deepEqual((await collect(await kv.history({ key: ["b", "c"] }))).map(said), ["b PUT x 5"]);
  const [entry] = await collect(await kv.history({ key: "b", headers_only: true }));
  assert.deepEqual([entry.length, entry.value.length], [1, 0]);
});

test("watch", async (t) => {
  const { kv } = await bucket(t);
  await kv.put("a", "1");
  await kv.put("b", "2");
  const watch = await kv.watch();
  const seen = [];
  (async () => {
    for await (const entry of watch) seen.push(`${said(entry)} ${entry.isUpdate}`);
  })();
  await until(() => seen.length === 2);
  await kv.put("a", "3");
  await kv.delete("b");
  await kv.purge("a");
  await until(() => seen.length === 5);
  assert.deepEqual(seen, ["a PUT 1 1 false", "b PUT 2 2 true", "a PUT 3 3 true", "b DEL  4 true", "a PURGE  5 true"]);
  watch.stop();
});

test("watch an empty bucket", async (t) => {
  const { kv } = await bucket(t);
  const watch = await kv.watch();
  const [got] = await Promise.all([take(watch, 1), kv.put("a", "1")]);
  assert.deepEqual([got[0].key, got[0].isUpdate], ["a", true]);
});

for (const [options, expected] of [
  [{ key: "a" }, ["a PUT 3 3"]],
  [{ key: "b.*" }, ["b.1 PUT 2 2", "b.2 DEL  5"]],
  [{ key: ["a", "b.1"] }, ["b.1 PUT 2 2", "a PUT 3 3"]],
  [{ include: KvWatchInclude.AllHistory }, ["a PUT 1 1", "b.1 PUT 2 2", "a PUT 3 3", "b.2 PUT 4 4", "b.2 DEL  5"]],
  [{ ignoreDeletes: true }, ["b.1 PUT 2 2", "a PUT 3 3"]],
  [{ resumeFromRevision: 4 }, ["b.2 PUT 4 4", "b.2 DEL  5"]],
  [{ include: KvWatchInclude.UpdatesOnly }, []],
]) {
  test(`watch with ${JSON.stringify(options)}`, async (t) => {
    const { kv } = await bucket(t, { history: 5 });
    await kv.put("a", "1");
    await kv.put("b.1", "2");
    await kv.put("a", "3");
    await kv.put("b.2", "4");
    await kv.delete("b.2");
    const watch = await kv.watch(options);
    const seen = [];
    (async () => {
      for await (const entry of watch) seen.push(said(entry));
    })();
    const last = Array.isArray(options.key) || options.key === "a" ? "a" : "b.1";
    await kv.put(last, "end");
    await until(() => seen.at(-1)?.includes("PUT end"));
    assert.deepEqual(seen.slice(0, -1), expected);
    watch.stop();
  });
}

test("watch without values", async (t) => {
  const { kv } = await bucket(t);
  await kv.put("a", "12345");
  const [entry] = await take(await kv.watch({ headers_only: true }), 1);
  assert.deepEqual([entry.length, entry.value.length, entry.delta], [5, 0, 0]);
});

test("watch of two clients", async (t) => {
  const { kv, server } = await bucket(t);
  const other = await new Kvm(await connect(t, server)).open("B");
  const watch = await other.watch();
  const got = take(watch, 50);
  for (let i = 0; i < 50; i++) await kv.put(`k${i}`, String(i));
  assert.deepEqual((await got).map((entry) => entry.string()), Array.from({ length: 50 }, (_, i) => String(i)));
});

test("a stopped watch leaves no consumer", async (t) => {
  const { kv, jsm } = await bucket(t);
  await kv.put("a", "1");
  const watch = await kv.watch();
  await take(watch, 1);
  watch.stop();
  const left = await collect(jsm.consumers.list("KV_B"));
  assert.ok(left.length <= 1);
});

test("keys of many", async (t) => {
  const { kv } = await bucket(t);
  await Promise.all(Array.from({ length: 500 }, (_, i) => kv.put(`k.${i}`, "x")));
  assert.equal((await collect(await kv.keys(), 10_000)).length, 500);
});

// -- times to live ----------------------------------------------------------------------------------

test("markers", async (t) => {
  const { kv } = await bucket(t, { markerTTL: 2000, history: 3 });
  assert.equal((await kv.status()).markerTTL, 2000);
  await kv.create("k", "short", "1s");
  const seen = [];
  const watch = await kv.watch();
  (async () => {
    for await (const entry of watch) seen.push(`${entry.key} ${entry.operation}`);
  })();
  await until(() => seen.length === 2, "the marker", 8000);
  assert.deepEqual(seen, ["k PUT", "k PURGE"]);
  await until(async () => (await kv.get("k")) === null, "the marker's end", 8000);
  watch.stop();
});

test("purge with a time to live", async (t) => {
  const { kv } = await bucket(t, { markerTTL: 60_000 });
  await kv.put("k", "v");
  await kv.purge("k", { ttl: "1s" });
  assert.equal((await kv.get("k")).operation, "PURGE");
  await until(async () => (await kv.get("k")) === null, "the end", 8000);
});

test("a time to live where there is none", async (t) => {
  const { kv } = await bucket(t);
  await refused(kv.create("k", "v", "1s"), { code: 10166 });
});

// -- copies -----------------------------------------------------------------------------------------

test("republish", async (t) => {
  const { kv, nc } = await bucket(t, { republish: { src: ">", dest: "copy.>" } });
  const sub = nc.subscribe("copy.>");
  await kv.put("k", "v");
  assert.equal((await take(sub, 1))[0].subject, "copy.$KV.B.k");
});

test("a mirror of a bucket", async (t) => {
  const { kv, kvm } = await bucket(t);
  await kv.put("k", "v");
  const mirror = await kvm.create("M", { mirror: { name: "B" } });
  await until(async () => (await mirror.status()).values === 1);
  assert.equal((await mirror.status()).streamInfo.config.mirror_direct, true);
});

test("a bucket of two", async (t) => {
  const { kv, kvm } = await bucket(t);
  const other = await kvm.create("C");
  await kv.put("b", "1");
  await other.put("c", "2");
  const both = await kvm.create("BOTH", { sources: [{ name: "B" }, { name: "C" }] });
  await until(async () => (await both.status()).values === 2);
  assert.equal((await both.get("b")).string(), "1");
  assert.equal((await both.get("c")).string(), "2");
});

test("by a JetStream client of one's own", async (t) => {
  const { nc } = await bucket(t);
  const kv = await new Kvm(jetstream(nc, { timeout: 3000 })).create("X");
  assert.equal(await kv.put("k", "v"), 1);
});
