// Who may connect, what they may do, and encryption.
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createUser } from "@nats-io/nkeys";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as natsConnect, nkeyAuthenticator, tokenAuthenticator, usernamePasswordAuthenticator } from "@nats-io/transport-node";
import { Server, assert, collect, connect, first, refused, take, within } from "./helpers.mjs";

const file = (name) => new URL(`../tls/${name}`, import.meta.url).pathname;
const ALICE = { name: "alice", password: "secret" };

async function turnedAway(server, options) {
  const error = await refused(natsConnect({ servers: server.url, reconnect: false, ...options }));
  assert.equal(error.name, "AuthorizationError", error.stack);
  assert.match(error.message, /authorization violation/i);
}

test("a user with a password", async (t) => {
  const server = await Server.start(t, { users: [ALICE] });
  const nc = await connect(t, server, { user: "alice", pass: "secret" });
  assert.equal(nc.info.auth_required, true);
  await nc.flush();
  const { data } = await nc.context();
  assert.equal(data.user, "alice");
  await connect(t, server, { authenticator: usernamePasswordAuthenticator("alice", () => "secret") });
  await connect(t, server, { authenticator: [tokenAuthenticator("no"), usernamePasswordAuthenticator("alice", "secret")] });
});

test("the wrong user, the wrong password, none", async (t) => {
  const server = await Server.start(t, { users: [ALICE] });
  await turnedAway(server, { user: "bob", pass: "secret" });
  await turnedAway(server, { user: "alice", pass: "Secret" });
  await turnedAway(server, { user: "alice" });
  await turnedAway(server, { token: "secret" });
  await turnedAway(server, {});
});

test("a token", async (t) => {
  const server = await Server.start(t, { token: "open sesame" });
  await connect(t, server, { token: "open sesame" });
  await connect(t, server, { authenticator: tokenAuthenticator(() => "open sesame") });
  await turnedAway(server, { token: "sesame" });
  await turnedAway(server, {});
});

test("an nkey", async (t) => {
  const [user, stranger] = [createUser(), createUser()];
  const server = await Server.start(t, { users: [{ nkey: user.getPublicKey() }] });
  const nc = await connect(t, server, { authenticator: nkeyAuthenticator(user.getSeed()) });
  assert.equal((await nc.context()).data.user, user.getPublicKey());
  await turnedAway(server, { authenticator: nkeyAuthenticator(stranger.getSeed()) });
  await turnedAway(server, {});
});

test("an nkey and a signature of something else", async (t) => {
  const user = createUser();
  const server = await Server.start(t, { users: [{ nkey: user.getPublicKey() }] });
  const sig = Buffer.from(user.sign(Buffer.from("other"))).toString("base64url");
  await turnedAway(server, { authenticator: () => ({ nkey: user.getPublicKey(), sig }) });
});

test("a default user", async (t) => {
  const server = await Server.start(t, { users: [ALICE], default_user: "alice" });
  const nc = await connect(t, server);
  assert.equal((await nc.context()).data.user, "alice");
});

test("reconnects with its credentials", async (t) => {
  const server = await Server.start(t, { users: [ALICE] });
  const nc = await connect(t, server, { user: "alice", pass: "secret" });
  const back = first(nc.status(), ({ type }) => type === "reconnect");
  await server.stop();
  await server.start();
  await back;
  await nc.flush();
});

// -- permissions ------------------------------------------------------------------------------------

async function limited(t, permissions, options = {}) {
  const server = await Server.start(t, { users: [{ ...ALICE, permissions }, { name: "root", password: "root" }] });
  const nc = await connect(t, server, { user: "alice", pass: "secret", ...options });
  return { server, nc, root: await connect(t, server, { user: "root", pass: "root" }) };
}

test("may not publish there", async (t) => {
  const { nc, root } = await limited(t, { publish: { allow: ["yes.>"] } });
  const sub = root.subscribe(">");
  await root.flush();
  const problem = first(nc.status(), ({ type }) => type === "error");
  nc.publish("no.1", "no");
  nc.publish("yes.1", "yes");
  const { error } = await problem;
  assert.deepEqual([error.name, error.operation, error.subject, error.queue], ["PermissionViolationError", "publish", "no.1", undefined]);
  assert.match(error.message, /Permissions Violation for Publish to "no\.1"/i);
  const [msg] = await take(sub, 1);
  assert.equal(msg.subject, "yes.1");
  assert.equal(nc.isClosed(), false);
});

test("may not subscribe there", async (t) => {
  const { nc } = await limited(t, { subscribe: { deny: ["secret.>"] } });
  const problem = first(nc.status(), ({ type }) => type === "error");
  const sub = nc.subscribe("secret.a");
  const error = await refused(collect(sub));
  assert.deepEqual([error.name, error.operation, error.subject], ["PermissionViolationError", "subscription", "secret.a"]);
  assert.match(error.message, /Permissions Violation for Subscription to "secret\.a"/i);
  assert.equal((await problem).error.name, "PermissionViolationError");
  assert.equal(sub.isClosed(), true);
});

test("may not subscribe there, by callback", async (t) => {
  const { nc } = await limited(t, { subscribe: { allow: ["a"] } });
  const error = await within(new Promise((resolve) => nc.subscribe("b", { callback: (err) => resolve(err) })));
  assert.equal(error.name, "PermissionViolationError");
});

test("may not subscribe to that queue group", async (t) => {
  const { nc, root } = await limited(t, { subscribe: { allow: ["a v1"] } });
  const error = await within(new Promise((resolve) => nc.subscribe("a", { queue: "v2", callback: (err) => resolve(err) })));
  assert.deepEqual([error.operation, error.subject, error.queue], ["subscription", "a", "v2"]);
  const sub = nc.subscribe("a", { queue: "v1" });
  await nc.flush();
  root.publish("a", "x");
  assert.equal((await take(sub, 1)).length, 1);
});

test("a wildcard does not show what is denied", async (t) => {
  const { nc, root } = await limited(t, { subscribe: { allow: [">"], deny: ["a.secret"] } });
  const sub = nc.subscribe("a.*");
  await nc.flush();
  root.publish("a.secret", "no");
  root.publish("a.open", "yes");
  assert.deepEqual((await take(sub, 1)).map((msg) => msg.subject), ["a.open"]);
});

test("a request where one may not publish", async (t) => {
  const { nc } = await limited(t, { publish: { deny: ["no"] } });
  const error = await refused(nc.request("no", "", { timeout: 2000 }));
  assert.equal(error.cause?.name ?? error.name, "PermissionViolationError");
});

test("a request without an inbox", async (t) => {
  const { nc } = await limited(t, { subscribe: { deny: ["_INBOX.>"] } });
  const error = await refused(nc.request("any", "", { timeout: 1000 }));
  assert.match(`${error.name} ${error.cause?.name}`, /PermissionViolationError/);
});

test("an inbox of one's own", async (t) => {
  const { nc, root } = await limited(t, { subscribe: { allow: ["_INBOX_alice.>"] } }, { inboxPrefix: "_INBOX_alice" });
  root.subscribe("a", { callback: (_, msg) => msg.respond(msg.data) });
  await root.flush();
  assert.equal((await nc.request("a", "x")).string(), "x");
});

test("may answer what it was asked, once", async (t) => {
  const { nc, root } = await limited(t, { publish: { allow: ["nothing"] }, responses: { max_messages: 1 } });
  nc.subscribe("a", {
    callback(_, msg) {
      msg.respond("1");
      msg.respond("2");
    },
  });
  await nc.flush();
  const problem = first(nc.status(), ({ type }) => type === "error");
  const answers = root.subscribe("answers.here");
  root.publish("a", "", { reply: "answers.here" });
  assert.equal((await take(answers, 1))[0].string(), "1");
  const { error } = await problem;
  assert.deepEqual([error.operation, error.subject], ["publish", "answers.here"]);
});

test("no JetStream where its API is denied", async (t) => {
  const { nc } = await limited(t, { publish: { deny: ["$JS.API.>"] } });
  const error = await refused(jetstreamManager(nc));
  assert.match(`${error.name} ${error.cause?.name} ${error.message}`, /PermissionViolation|permissions violation/i);
});

test("a message may be published to a stream's subject but no stream made", async (t) => {
  const { nc, root } = await limited(t, { publish: { allow: ["s.>"] } });
  await (await jetstreamManager(root)).streams.add({ name: "S", subjects: ["s.>"] });
  assert.equal((await jetstream(nc).publish("s.1", "x")).seq, 1);
  const manager = await jetstreamManager(nc, { checkAPI: false });
  await refused(manager.streams.add({ name: "T", subjects: ["t"] }));
});

test("connecting as one user among many", async (t) => {
  const users = Array.from({ length: 20 }, (_, i) => ({ name: `u${i}`, password: `p${i}` }));
  const server = await Server.start(t, { users });
  for (const { name, password } of users) await connect(t, server, { user: name, pass: password });
});

// -- TLS --------------------------------------------------------------------------------------------

test("encrypted", async (t) => {
  const server = await Server.start(t, { tls: true });
  const nc = await connect(t, server, { servers: `localhost:${server.port}`, tls: { caFile: file("ca.pem") } });
  assert.equal(nc.info.tls_required, true);
  nc.subscribe("a", { callback: (_, msg) => msg.respond(msg.data) });
  const big = new Uint8Array(500_000).fill(3);
  assert.equal((await nc.request("a", big, { timeout: 3000 })).data.length, 500_000);
});

test("encrypted with what is in memory", async (t) => {
  const server = await Server.start(t, { tls: true });
  const nc = await connect(t, server, { servers: `localhost:${server.port}`, tls: { ca: readFileSync(file("ca.pem"), "utf8") } });
  await nc.flush();
});

test("encrypted from the first byte on", async (t) => {
  const server = await Server.start(t, { tls: true, tls_first: true });
  const nc = await connect(t, server, {
    servers: `localhost:${server.port}`,
    tls: { caFile: file("ca.pem"), handshakeFirst: true },
  });
  await nc.flush();
});

test("an authority that is not known", async (t) => {
  const server = await Server.start(t, { tls: true });
  await refused(natsConnect({ servers: `localhost:${server.port}`, reconnect: false, tls: {} }));
});

test("a client's certificate", async (t) => {
  const server = await Server.start(t, { tls: true, tls_verify: true });
  const tls = { caFile: file("ca.pem"), certFile: file("client.pem"), keyFile: file("client-key.pem") };
  const nc = await connect(t, server, { servers: `localhost:${server.port}`, tls });
  assert.equal(nc.info.tls_verify, true);
  await nc.flush();
  await refused(
    natsConnect({ servers: `localhost:${server.port}`, reconnect: false, timeout: 2000, tls: { caFile: file("ca.pem") } }),
  );
});

test("encrypted, and back after a restart", async (t) => {
  const server = await Server.start(t, { tls: true });
  const nc = await connect(t, server, { servers: `localhost:${server.port}`, tls: { caFile: file("ca.pem") } });
  const back = first(nc.status(), ({ type }) => type === "reconnect");
  await server.stop();
  await server.start();
  await back;
  await nc.flush();
});
