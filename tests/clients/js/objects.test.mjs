// Object stores.
import { test } from "node:test";
import { headers } from "@nats-io/transport-node";
import { Objm } from "@nats-io/obj";
import { assert, begin, bytes, collect, refused, text, until } from "./helpers.mjs";

async function store(t, options = {}) {
  const world = await begin(t);
  const objm = new Objm(world.nc);
  return { ...world, objm, os: await objm.create("O", options) };
}

function streamOf(...chunks) {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function read(result) {
  const chunks = [];
  for await (const chunk of result.data) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

test("putBlob and getBlob", async (t) => {
  const { os } = await store(t);
  const info = await os.putBlob({ name: "o", description: "d" }, bytes("hello"));
  assert.deepEqual([info.bucket, info.name, info.description, info.size, info.chunks, info.deleted], ["O", "o", "d", 5, 1, false]);
  assert.equal(info.digest, "SHA-256=LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
  assert.equal(text(await os.getBlob("o")), "hello");
  assert.equal(await os.getBlob("none"), null);
});

test("put and get by streams", async (t) => {
  const { os } = await store(t);
  const info = await os.put({ name: "o" }, streamOf(bytes("hello "), bytes("world")));
  assert.equal(info.size, 11);
  const result = await os.get("o");
  assert.equal((await read(result)).toString(), "hello world");
  assert.equal((await result.error) ?? null, null);
  assert.equal(result.info.name, "o");
  assert.equal(await os.get("none"), null);
});

test("in chunks", async (t) => {
  const { os } = await store(t);
  const data = new Uint8Array(300_000).map((_, i) => i % 251);
  const info = await os.put({ name: "o", options: { max_chunk_size: 10_000 } }, streamOf(data));
  assert.deepEqual([info.chunks, info.size, info.options.max_chunk_size], [30, 300_000, 10_000]);
  assert.deepEqual(Buffer.from(await os.getBlob("o")), Buffer.from(data));
});

test("two megabytes", async (t) => {
  const { os } = await store(t);
  const data = new Uint8Array(2_000_000).fill(5);
  await os.putBlob({ name: "o" }, data);
  assert.equal((await os.getBlob("o")).length, 2_000_000);
});

test("nothing at all", async (t) => {
  const { os } = await store(t);
  const info = await os.putBlob({ name: "o" }, new Uint8Array(0));
  assert.deepEqual([info.size, info.chunks], [0, 0]);
  assert.equal((await os.getBlob("o")).length, 0);
  assert.equal((await os.putBlob({ name: "n" }, null)).size, 0);
});

test("names of any kind", async (t) => {
  const { os } = await store(t);
  for (const name of ["a b", "ä/ö", "a.b.>", "*"]) {
    await os.putBlob({ name }, bytes(name));
    assert.equal(text(await os.getBlob(name)), name);
  }
  await refused((async () => os.putBlob({ name: "" }, bytes("x")))());
});

test("headers and metadata", async (t) => {
  const { os } = await store(t);
  const h = headers();
  h.set("k", "v");
  await os.putBlob({ name: "o", headers: h, metadata: { a: "b" } }, bytes("x"));
  const info = await os.info("o");
  assert.equal(info.headers.get("k"), "v");
  assert.deepEqual(info.metadata, { a: "b" });
  assert.equal(await os.info("none"), null);
});

test("put again replaces", async (t) => {
  const { os, jsm } = await store(t);
  const one = await os.putBlob({ name: "o" }, bytes("one"));
  const two = await os.putBlob({ name: "o" }, bytes("two"));
  assert.notEqual(one.nuid, two.nuid);
  assert.equal(text(await os.getBlob("o")), "two");
  assert.equal((await jsm.streams.info("OBJ_O")).state.messages, 2);
});

test("put with the revision that is expected", async (t) => {
  const { os } = await store(t);
  const one = await os.putBlob({ name: "o" }, bytes("one"), { previousRevision: 0 });
  await refused(os.putBlob({ name: "o" }, bytes("two"), { previousRevision: 0 }), { code: 10071 });
  await os.putBlob({ name: "o" }, bytes("three"), { previousRevision: one.revision });
  assert.equal(text(await os.getBlob("o")), "three");
});

test("delete", async (t) => {
  const { os } = await store(t);
  await os.putBlob({ name: "o" }, bytes("x"));
  const { success, purged } = await os.delete("o");
  assert.deepEqual([success, purged], [true, 1]);
  assert.equal((await os.info("o")).deleted, true);
  assert.equal(await os.getBlob("o"), null);
  await os.putBlob({ name: "o" }, bytes("y"));
  assert.equal(text(await os.getBlob("o")), "y");
});

test("list", async (t) => {
  const { os } = await store(t);
  assert.deepEqual(await os.list(), []);
  for (const name of ["a", "b", "c"]) await os.putBlob({ name }, bytes(name));
  await os.delete("b");
  assert.deepEqual((await os.list()).map((info) => info.name).sort(), ["a", "c"]);
});

test("update", async (t) => {
  const { os } = await store(t);
  await os.putBlob({ name: "o" }, bytes("x"));
  await os.update("o", { name: "p", description: "d" });
  assert.equal(await os.info("o"), null);
  assert.equal((await os.info("p")).description, "d");
  assert.equal(text(await os.getBlob("p")), "x");
  await refused(os.update("none", { description: "d" }));
  await os.putBlob({ name: "q" }, bytes("y"));
  await refused(os.update("p", { name: "q" }));
});

test("links", async (t) => {
  const { os, objm } = await store(t);
  const info = await os.putBlob({ name: "o" }, bytes("x"));
  const link = await os.link("l", info);
  assert.deepEqual(link.options.link, { bucket: "O", name: "o" });
  assert.equal(text(await os.getBlob("l")), "x");
  const other = await objm.create("P");
  await other.link("far", info);
  assert.equal(text(await other.getBlob("far")), "x");
  const whole = await os.linkStore("store", other);
  assert.deepEqual(whole.options.link, { bucket: "P" });
  await refused(os.link("ll", link));
  await os.delete("o");
  await refused((async () => os.link("l2", await os.info("o")))());
});

test("watch", async (t) => {
  const { os } = await store(t);
  await os.putBlob({ name: "a" }, bytes("1"));
  const watch = await os.watch({ includeHistory: true });
  const seen = [];
  (async () => {
    for await (const info of watch) seen.push(`${info.name} ${info.deleted} ${info.isUpdate}`);
  })();
  await until(() => seen.length === 1);
  await os.putBlob({ name: "b" }, bytes("2"));
  await os.delete("a");
  await until(() => seen.length === 3);
  assert.deepEqual(seen.map((one) => one.split(" ").slice(0, 2).join(" ")), ["a false", "b false", "a true"]);
  watch.stop();
});

test("watch without what is deleted", async (t) => {
  const { os } = await store(t);
  const watch = await os.watch({ ignoreDeletes: true });
  const seen = [];
  (async () => {
    for await (const info of watch) seen.push(info.name);
  })();
  await os.putBlob({ name: "a" }, bytes("1"));
  await os.delete("a");
  await os.putBlob({ name: "b" }, bytes("1"));
  await until(() => seen.includes("b"));
  assert.deepEqual(seen, ["a", "b"]);
  watch.stop();
});

test("seal", async (t) => {
  const { os } = await store(t);
  await os.putBlob({ name: "o" }, bytes("x"));
  assert.equal((await os.seal()).sealed, true);
  await refused(os.putBlob({ name: "p" }, bytes("x")), { code: 10109 });
  assert.equal(text(await os.getBlob("o")), "x");
});

test("status", async (t) => {
  const { os } = await store(t, { description: "d", ttl: 60_000_000_000, storage: "memory", max_bytes: 1_000_000, metadata: { a: "b" } });
  await os.putBlob({ name: "o" }, bytes("x"));
  const status = await os.status();
  assert.deepEqual(
    [status.bucket, status.description, status.ttl, status.storage, status.replicas, status.sealed, status.backingStore, status.compression],
    ["O", "d", 60_000_000_000, "memory", 1, false, "JetStream", false],
  );
  assert.equal(status.metadata.a, "b");
  assert.ok(status.size > 0);
  const { subjects, allow_rollup_hdrs, discard, allow_direct } = status.streamInfo.config;
  assert.deepEqual([subjects, allow_rollup_hdrs, discard, allow_direct], [["$O.O.C.>", "$O.O.M.>"], true, "new", true]);
  const detailed = await os.status({ subjects_filter: ">" });
  assert.equal(Object.keys(detailed.streamInfo.state.subjects).length, 2);
});

test("a store that is full", async (t) => {
  const { os } = await store(t, { max_bytes: 1000 });
  await refused(os.putBlob({ name: "o" }, new Uint8Array(5000)), { code: 10077 });
  assert.equal(await os.info("o"), null);
});

test("open, list, destroy", async (t) => {
  const { os, objm } = await store(t);
  await os.putBlob({ name: "o" }, bytes("x"));
  assert.equal(text(await (await objm.open("O")).getBlob("o")), "x");
  await refused(objm.open("N"), { message: "object store not found" });
  await objm.create("P");
  assert.deepEqual((await collect(objm.list())).map((status) => status.bucket).sort(), ["O", "P"]);
  assert.equal(await os.destroy(), true);
  assert.deepEqual((await collect(objm.list())).map((status) => status.bucket), ["P"]);
  await refused((async () => objm.create("a b"))());
});

test("in fast batches", async (t) => {
  const { objm } = await store(t);
  const os = await objm.create("F", { allowBatched: true });
  const data = new Uint8Array(600_000).map((_, i) => i % 253);
  await os.put({ name: "o", options: { max_chunk_size: 10_000 } }, streamOf(data));
  assert.deepEqual(Buffer.from(await os.getBlob("o")), Buffer.from(data));
  await refused(objm.open("O", { check: true, allowBatched: true }), { message: "existing bucket does not support batched publishes" });
});
