// The rules of `packages/medusa-companion` that need no Medusa: who is believed, what is read, which try counts. The rest is shown
// inside the real Medusa, by `crates/server/tests/medusa/companion.rs`.

import assert from "node:assert/strict"
import { createHmac } from "node:crypto"
import { PassThrough } from "node:stream"
import { test } from "node:test"

import { build } from "esbuild"

const {
  MalformedError, deliver, isForTheBus, judge, keyOf, prepare, readBody, readFrame, readNotification, readOptions, refusal, withoutSecrets,
} = await load(["options", "webhook/body", "webhook/deliver", "webhook/frame", "webhook/signature"])

/** The example of the Standard Webhooks specification, section "Signature scheme". */
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
const SENT_AT = 1614265330
const BODY = Buffer.from('{"test": 2432232314}')
const SIGNED = {
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  timestamp: String(SENT_AT),
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
const KEYS = [keyOf(SECRET)]

/** Compiles files of the package and imports them together. */
async function load(names) {
  const folder = new URL("../packages/medusa-companion/src/", import.meta.url).pathname
  const contents = names.map((name) => `export * from "./${name}"`).join("\n")
  const stdin = { contents, resolveDir: folder }
  const bundle = await build({ stdin, bundle: true, write: false, format: "esm", platform: "node" })
  return import(`data:text/javascript;base64,${Buffer.from(bundle.outputFiles[0].contents).toString("base64")}`)
}

/** A message as the server sends it, with changes. */
function message(changes = {}) {
  return {
    to: "alice@example.com",
    channel: "email",
    template: "email_verification",
    subject: "Your code",
    content: { html: "<b>123456</b>", text: 'Your "code" is 123456' },
    data: { code: "123456", minutes: "15" },
    trigger_type: "email_verification",
    receiver_id: "cus_1",
    idempotency_key: "otp_1",
    ...changes,
  }
}

test("the specification's example is believed, by any of the secrets and any of the signatures", () => {
  const other = keyOf("another secret, that signs nothing")
  for (const keys of [KEYS, [other, ...KEYS], [...KEYS, other]]) {
    assert.equal(refusal(keys, SIGNED, BODY, SENT_AT), undefined)
  }
  for (const signature of [`v1,AAAA ${SIGNED.signature}`, `v1a,x ${SIGNED.signature} v2,y`, SIGNED.signature.replace(/=$/, "")]) {
    assert.equal(refusal(KEYS, { ...SIGNED, signature }, BODY, SENT_AT), undefined, signature)
  }
})

test("whatever differs from what was signed is refused", () => {
  const wrong = "No signature in webhook-signature is right"
  const tag = SIGNED.signature.slice(3)
  for (const [name, headers, body, keys] of [
    ["another id", { id: "msg_2" }, BODY, KEYS],
    ["another time", { timestamp: String(SENT_AT + 1) }, BODY, KEYS],
    ["another body", {}, Buffer.from('{"test":2432232314}'), KEYS],
    ["another key", {}, BODY, [keyOf("another secret, that signs nothing")]],
    ["no version", { signature: tag }, BODY, KEYS],
    ["another version", { signature: `v2,${tag}` }, BODY, KEYS],
    ["a part of it", { signature: `v1,${tag.slice(0, 8)}` }, BODY, KEYS],
    ["no base64", { signature: `v1,*${tag}` }, BODY, KEYS],
    ["nothing", { signature: "v1," }, BODY, KEYS],
  ]) {
    assert.equal(refusal(keys, { ...SIGNED, ...headers }, body, SENT_AT), wrong, name)
  }
})

test("missing headers are named", () => {
  for (const name of ["id", "timestamp", "signature"]) {
    for (const value of [undefined, ""]) {
      assert.match(refusal(KEYS, { ...SIGNED, [name]: value }, BODY, SENT_AT), /are required$/, name)
    }
  }
})

test("five minutes are tolerated in both directions, and a time must be one", () => {
  for (const [away, believed] of [[300, true], [-300, true], [301, false], [-301, false]]) {
    assert.equal(refusal(KEYS, SIGNED, BODY, SENT_AT + away) === undefined, believed, `${away}`)
  }
  for (const timestamp of ["soon", "-1", "1e9", "1614265330.5", " 1614265330", "NaN", "9".repeat(40)]) {
    const tag = createHmac("sha256", KEYS[0]).update(`${SIGNED.id}.${timestamp}.`).update(BODY).digest("base64")
    assert.match(refusal(KEYS, { ...SIGNED, timestamp, signature: `v1,${tag}` }, BODY, SENT_AT), /in seconds/, timestamp)
  }
})

test("a body is read as it came, up to a megabyte", async () => {
  const read = (chunks, end = true) => {
    const request = new PassThrough()
    const body = readBody(request)
    chunks.forEach((chunk) => request.write(chunk))
    if (end) request.end()
    else request.destroy()
    return body
  }
  assert.deepEqual(await read([Buffer.from([0xff]), Buffer.from("{ }")]), Buffer.from([0xff, 0x7b, 0x20, 0x7d]))
  assert.equal((await read([Buffer.alloc(1024 * 1024)])).length, 1024 * 1024)
  assert.equal(await read([Buffer.alloc(1024 * 1024), Buffer.alloc(1)]), undefined)
  assert.equal(await read(["x"], false), undefined, "broken off")
  assert.deepEqual(await readBody({ rawBody: BODY }), BODY)
  assert.equal(await readBody({ readableEnded: true, rawBody: undefined }), undefined)
})

test("options are refused by their name and without their value", () => {
  for (const [options, words] of [
    [undefined, /`secrets` must be a list/],
    [{ secrets: SECRET }, /`secrets` must be a list/],
    [{ secrets: [] }, /`secrets` must be a list/],
    [{ secrets: [SECRET, undefined] }, /`secrets\[1\]` is missing/],
    [{ secrets: [""] }, /`secrets\[0\]` is missing/],
    [{ secrets: ["whsec_!!!"] }, /`secrets\[0\]` must be base64/],
    [{ secrets: ["whsec_"] }, /16 bytes/],
    [{ secrets: ["too short"] }, /16 bytes/],
    [{ secrets: [SECRET], templates: [] }, /`templates` must be a map/],
    [{ secrets: [SECRET], templates: { email: "d-1" } }, /`templates.email` must be a map/],
    [{ secrets: [SECRET], templates: { email: { password_reset: 1 } } }, /`templates.email.password_reset` must be a text/],
  ]) {
    assert.throws(() => readOptions(options), (error) => words.test(error.message) && !error.message.includes("too short"))
  }
  const templates = { email: { password_reset: "d-1" } }
  const read = readOptions({ secrets: [SECRET, "a text of 16 bytes or more"], templates, database: {} })
  assert.deepEqual(read, { keys: [...KEYS, Buffer.from("a text of 16 bytes or more")], templates })
})

test("a body of another shape is refused with a sentence that quotes nothing of it", () => {
  for (const text of ["", "{", "[]", "null", '"x"', '{"data":{}}', '{"type":"","data":{}}', '{"type":"x"}', '{"type":"x","data":[]}']) {
    assert.throws(() => readFrame(Buffer.from(text)), MalformedError, text)
  }
  assert.throws(() => readFrame(Buffer.from('{"secret 123456')), (error) => error.message === "The body must be JSON")
  assert.deepEqual(readFrame(Buffer.from('{"type":"a.b","timestamp":"t","data":{"id":"1"}}')), { type: "a.b", data: { id: "1" } })
})

test("a message needs what it cannot be sent without", () => {
  for (const name of ["to", "channel", "template", "content", "idempotency_key"]) {
    assert.throws(() => readNotification(message({ [name]: undefined })), MalformedError, name)
  }
  assert.throws(() => readNotification(message({ content: { html: "x" } })), MalformedError)
  assert.throws(() => readNotification(message({ subject: 1 })), MalformedError)
  assert.throws(() => readNotification(message({ data: "x" })), MalformedError)
  const bare = readNotification(message({ subject: null, receiver_id: null, content: { html: null, text: "x" }, data: undefined }))
  assert.deepEqual([bare.subject, bare.receiver_id, bare.html, bare.data], [null, null, null, {}])
})

test("events of customers and deletions are for the bus, a reset without its token is not", () => {
  for (const [type, expected] of [
    ["customer.created", true], ["customer.contact_changed", true], ["account_deletion.completed", true],
    ["auth.password_reset", false], ["order.placed", false], ["customer", false], ["notification.send", false],
  ]) {
    assert.equal(isForTheBus(type), expected, type)
  }
})

test("a try that succeeded is the last, one under way is waited for, one that failed or broke off is made again", () => {
  const now = Date.parse("2026-01-02T03:04:05Z")
  const row = (status, ageSeconds) => ({ status, created_at: new Date(now - ageSeconds * 1000) })
  assert.deepEqual(judge(row("success", 0), now), { outcome: "already_sent" })
  assert.deepEqual(judge(row("pending", 20), now), { outcome: "under_way", retryAfterSeconds: 40 })
  assert.deepEqual(judge(row("pending", -900), now), { outcome: "under_way", retryAfterSeconds: 60 })
  assert.equal(judge(row("pending", 60), now), "again")
  assert.equal(judge(row("failure", 0), now), "again")
})

test("without a template of the shop's the content is sent and nothing to be stored, with one the variables alone", () => {
  const notification = readNotification(message())
  const common = { to: "alice@example.com", channel: "email", trigger_type: "email_verification", receiver_id: "cus_1", idempotency_key: "otp_1" }
  const content = { subject: "Your code", html: "<b>123456</b>", text: 'Your "code" is 123456' }
  for (const templates of [{}, { sms: { email_verification: "x" } }, { email: { password_reset: "x" } }]) {
    assert.deepEqual(prepare(notification, templates), { ...common, template: "email_verification", data: {}, content })
  }
  const mapped = prepare(notification, { email: { email_verification: "d-1" } })
  assert.deepEqual(mapped, { ...common, template: "d-1", data: { code: "123456", minutes: "15" } })
})

test("what a provider quotes of a message does not get into the log", () => {
  const notification = readNotification(message())
  const quoted = `400: ${JSON.stringify(message())} for alice@example.com: ${"x".repeat(32)}`
  const logged = withoutSecrets(quoted, notification)
  for (const secret of ["123456", "alice", "xxxx"]) {
    assert.ok(!logged.includes(secret), logged)
  }
  assert.equal(withoutSecrets("401 - Unauthorized, error 21211", notification), "401 - Unauthorized, error 21211")
})

test("a module that cannot be asked is a rejection, so that the server tries again", async () => {
  const away = { listNotifications: () => Promise.reject(new Error("no connection")) }
  await assert.rejects(deliver(away, readNotification(message()), {}, 0), /no connection/)
})
