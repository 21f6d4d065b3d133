// What all tests need: a server of their own, of the kind that is being tried, clients that are closed at the end,
// and waiting that has an end.
import assert from "node:assert/strict";
import net from "node:net";
import readline from "node:readline";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as natsConnect, deferred } from "@nats-io/transport-node";

const STARTER = process.env.SERVERS; // host:port of tests/clients/starter.py
const LONGEST_MS = 5000;

/** A server of this test's own. `setup` says what it is like, as tests/clients/starter.py reads it. */
export class Server {
  static async start(t, setup = {}) {
    assert.ok(STARTER, "$SERVERS is not set: run `make clients`");
    const [host, port] = STARTER.split(":");
    const server = new Server(net.connect({ host, port: Number(port) }));
    t.after(() => server.#end());
    await server.#ask(setup);
    return server;
  }

  #socket;
  #answers;
  constructor(socket) {
    this.#socket = socket;
    this.#answers = readline.createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  async #ask(what) {
    this.#socket.write(JSON.stringify(what) + "\n");
    const { value } = await this.#answers.next();
    const answer = JSON.parse(value ?? '{"error": "the starter is gone"}');
    assert.equal(answer.error, undefined);
    this.url = answer.url;
    this.port = Number(new URL(answer.url).port);
  }

  async #end() {
    await this.#ask("end");
    this.#socket.destroy();
  }

  stop = () => this.#ask("stop");
  start = () => this.#ask("start");
}

/** A connection, closed when the test ends. */
export async function connect(t, server, options = {}) {
  const nc = await natsConnect({ servers: server.url, reconnectTimeWait: 20, ...options });
  t.after(() => nc.close());
  return nc;
}

/** A server without anything on it, a client, and its two views of JetStream. */
export async function begin(t, { setup = {}, options = {}, js: jsOptions = {} } = {}) {
  const server = await Server.start(t, setup);
  const nc = await connect(t, server, options);
  return { server, nc, js: jetstream(nc, jsOptions), jsm: await jetstreamManager(nc, jsOptions) };
}

/** A stream S of s.> with messages s.0, s.1, … that hold their numbers. */
export async function streamOf(jsm, js, count, config = {}) {
  await jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
  for (let number = 0; number < count; number++) await js.publish(`s.${number}`, String(number));
}

/** What a promise gives, or a failure when it takes too long. */
export async function within(promise, what = "a promise", ms = LONGEST_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Wait until a condition gives something true, and return that. */
export async function until(condition, what = "a condition", ms = LONGEST_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The first `count` that an iterator gives; it is left then. */
export function take(iterator, count, ms = LONGEST_MS) {
  const found = [];
  const all = (async () => {
    if (count === 0) return found;
    for await (const one of iterator) {
      found.push(one);
      if (found.length === count) break;
    }
    return found;
  })();
  return within(all, `${count} of an iterator (has ${found.length})`, ms);
}

/** All that an iterator gives until it ends by itself. */
export function collect(iterator, ms = LONGEST_MS) {
  const all = (async () => {
    const found = [];
    for await (const one of iterator) found.push(one);
    return found;
  })();
  return within(all, "the end of an iterator", ms);
}

/** The first that an iterator gives for which `matches` holds. */
export function first(iterator, matches = () => true, ms = LONGEST_MS) {
  return within(
    (async () => {
      for await (const one of iterator) if (matches(one)) return one;
    })(),
    "one of an iterator",
    ms,
  );
}

/** What a promise is refused with; `expected` are fields that the error has. */
export async function refused(promise, expected = {}) {
  const error = await within(
    Promise.resolve(promise).then(
      () => assert.fail("was not refused"),
      (reason) => reason,
    ),
  );
  if (error instanceof assert.AssertionError) throw error;
  for (const [name, value] of Object.entries(expected)) {
    if (value instanceof RegExp) assert.match(String(error[name]), value);
    else assert.deepEqual(error[name], value);
  }
  return error;
}

/** Refused by the JetStream API with this error code and text. */
export async function refusedApi(promise, code, message) {
  const error = await refused(promise);
  assert.deepEqual([error.code, error.message], [code, message], error.stack);
  return error;
}

export const text = (value) => new TextDecoder().decode(value);
export const bytes = (value) => new TextEncoder().encode(value);
export { assert, deferred };
