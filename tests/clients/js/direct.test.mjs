// Messages without consumers: direct get, batches of it, the last of each subject.
import { test } from "node:test";
import { headers } from "@nats-io/transport-node";
import { assert, begin, collect, refused, until, within } from "./helpers.mjs";

async function direct(t, count = 6, config = {}) {
  const world = await begin(t);
  await world.jsm.streams.add({ name: "S", subjects: ["s.>"], allow_direct: true, ...config });
  for (let i = 0; i < count; i++) await world.js.publish(`s.${i % 3}`, String(i));
  return { ...world, get: world.jsm.direct };
}

const seqs = (msgs) => msgs.map((msg) => msg.seq);

test("by sequence", async (t) => {
  const { get, js } = await direct(t);
  const msg = await get.getMessage("S", { seq: 2 });
  assert.deepEqual([msg.subject, msg.seq, msg.string(), msg.stream], ["s.1", 2, "1", "S"]);
  assert.match(msg.timestamp, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.ok(Math.abs(msg.time.getTime() - Date.now()) < 60_000);
  const h = headers();
  h.set("k", "v");
  await js.publish("s.h", "with", { headers: h });
  assert.equal((await get.getMessage("S", { seq: 7 })).header.get("k"), "v");
});

test("the last of a subject", async (t) => {
  const { get } = await direct(t);
  assert.equal((await get.getMessage("S", { last_by_subj: "s.1" })).seq, 5);
  assert.equal((await get.getMessage("S", { last_by_subj: "s.*" })).seq, 6);
});

test("the next of a subject", async (t) => {
  const { get } = await direct(t);
  assert.equal((await get.getMessage("S", { next_by_subj: "s.1" })).seq, 2);
  assert.equal((await get.getMessage("S", { next_by_subj: "s.1", seq: 3 })).seq, 5);
  assert.equal((await get.getMessage("S", { next_by_subj: "s.>", seq: 4 })).seq, 4);
});

test("from a time on", async (t) => {
  const { get } = await direct(t);
  assert.equal((await get.getMessage("S", { start_time: new Date(0) })).seq, 1);
  assert.equal(await get.getMessage("S", { start_time: new Date(Date.now() + 60_000) }), null);
});

test("what is not there", async (t) => {
  const { get } = await direct(t);
  assert.equal(await get.getMessage("S", { seq: 99 }), null);
  assert.equal(await get.getMessage("S", { last_by_subj: "s.99" }), null);
  assert.equal(await get.getMessage("S", { next_by_subj: "s.1", seq: 6 }), null);
});

test("where there is no direct get", async (t) => {
  const { get } = await direct(t, 1, { allow_direct: false });
  assert.equal((await refused(get.getMessage("S", { seq: 1 }))).isNoResponders(), true);
});

test("of a mirror", async (t) => {
  const { get, jsm } = await direct(t);
  await jsm.streams.add({ name: "M", mirror: { name: "S" }, mirror_direct: true, allow_direct: true });
  await within((async () => {
    while (!(await get.getMessage("M", { seq: 6 }))) continue;
  })());
  assert.equal((await get.getMessage("M", { last_by_subj: "s.2" })).seq, 6);
});

for (const [options, expected] of [
  [{ seq: 1, batch: 3 }, [1, 2, 3]],
  [{ seq: 3, batch: 100 }, [3, 4, 5, 6]],
  [{ seq: 1, batch: 10, next_by_subj: "s.2" }, [3, 6]],
  [{ start_time: new Date(0), batch: 2 }, [1, 2]],
  [{ seq: 5 }, [5, 6]],
]) {
  test(`a batch with ${JSON.stringify(options)}`, async (t) => {
    const { get } = await direct(t);
    const msgs = await collect(await get.getBatch("S", options));
    assert.deepEqual(seqs(msgs), expected);
    assert.deepEqual(msgs.map((msg) => msg.lastSequence), [0, ...expected.slice(0, -1)]);
    assert.equal(typeof msgs[0].pending, "number");
  });
}

test("what a batch says is still pending", async (t) => {
  const { get } = await direct(t);
  const msgs = await collect(await get.getBatch("S", { seq: 1, batch: 4 }));
  assert.deepEqual(msgs.map((msg) => msg.pending), [5, 4, 3, 2]);
});

test("a batch by bytes", async (t) => {
  const { get, js } = await direct(t, 0);
  for (let i = 0; i < 6; i++) await js.publish("s.x", new Uint8Array(1000));
  const msgs = await collect(await get.getBatch("S", { seq: 1, max_bytes: 2500 }));
  assert.ok(msgs.length >= 2 && msgs.length < 4, String(msgs.length));
});

test("a batch by callback", async (t) => {
  const { get } = await direct(t);
  const got = [];
  await within(
    new Promise((resolve) => {
      get.getBatch("S", { seq: 1, batch: 3, callback: (done, msg) => (done ? resolve(done) : got.push(msg.seq)) });
    }),
  );
  assert.deepEqual(got, [1, 2, 3]);
});

test("a batch of nothing", async (t) => {
  const { get } = await direct(t);
  const iterator = await get.getBatch("S", { seq: 99, batch: 3 });
  const error = await refused(collect(iterator));
  assert.deepEqual([error.code, error.message], [404, "message not found"]);
});

test("a batch of a stream that is not there", async (t) => {
  const { get } = await direct(t);
  const error = await refused((async () => collect(await get.getBatch("N", { seq: 1, batch: 3 })))());
  assert.match(error.message, /no responders/i);
});

for (const [options, expected] of [
  [{ multi_last: ["s.0", "s.2"] }, [4, 6]],
  [{ multi_last: ["s.*"] }, [4, 5, 6]],
  [{ multi_last: ["s.>"], up_to_seq: 3 }, [1, 2, 3]],
  [{ multi_last: ["s.>"], up_to_seq: 4 }, [2, 3, 4]],
  [{ multi_last: ["s.>"], batch: 2 }, [4, 5]],
  [{ multi_last: ["s.>"], up_to_time: new Date(Date.now() + 3_600_000) }, [4, 5, 6]],
]) {
  test(`the last of each with ${JSON.stringify(options)}`, async (t) => {
    const { get } = await direct(t);
    assert.deepEqual(seqs(await collect(await get.getLastMessagesFor("S", options))), expected);
  });
}

test("the last of each of none", async (t) => {
  const { get } = await direct(t);
  const found = await collect(await get.getLastMessagesFor("S", { multi_last: ["x.>"] })).catch((error) => error.message);
  assert.deepEqual(found, []);
});

test("the last of more than there may be", async (t) => {
  const { get, jsm, nc } = await direct(t, 0);
  for (let i = 0; i < 1030; i++) nc.publish(`s.${i}`);
  await until(async () => (await jsm.streams.info("S")).state.messages === 1030);
  const error = await refused((async () => collect(await get.getLastMessagesFor("S", { multi_last: ["s.>"] })))());
  assert.deepEqual([error.code, error.message], [413, "too many results"]);
});

test("a request that says nothing", async (t) => {
  const { nc } = await direct(t);
  const answer = async (subject, payload) => (await nc.request(subject, payload, { timeout: 1000 })).headers;
  for (const [subject, payload, code, description] of [
    ["$JS.API.DIRECT.GET.S", "", 408, "Empty Request"],
    ["$JS.API.DIRECT.GET.S", "{", 408, "Malformed Request"],
    ["$JS.API.DIRECT.GET.S", '{"seq":1,"last_by_subj":"s.1"}', 408, "Bad Request"],
    ["$JS.API.DIRECT.GET.S", '{"seq":77}', 404, "Message Not Found"],
  ]) {
    const h = await answer(subject, payload);
    assert.deepEqual([h.code, h.description], [code, description]);
  }
});
