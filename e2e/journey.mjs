// A customer's whole way through the shop with Medusa's own JS SDK, once with the token kept in memory and once with a session cookie:
// register, create the customer, prove the e-mail, log in with it, prove the phone, log in with that and the same password, read,
// update, refresh, log out.

import assert from "node:assert/strict"
import { randomInt } from "node:crypto"
import { createRequire } from "node:module"

import { withCookies } from "./cookies.mjs"
import { baseUrl, messageTo, publishableKey, report } from "./server.mjs"

// The SDK's ES modules are for bundlers, which find folders; in Node its CommonJS build is the one that loads.
const { default: Medusa } = createRequire(import.meta.url)("@medusajs/js-sdk")

const password = "correct horse battery staple"
const jar = withCookies(globalThis.fetch)
globalThis.fetch = jar.fetch

await journey("jwt")
await journey("session")

/** Walks the whole way in one of the SDK's two modes, with contacts that nobody has used. */
async function journey(mode) {
  const digits = String(randomInt(10_000_000)).padStart(7, "0")
  const visitor = { mode, sdk: sdk(mode), email: `ada.${mode}.${digits}@example.com`, phone: `+1555${digits}` }

  const registration = await register(visitor)
  await proveEmail(visitor, registration)
  const login = await logInByEmail(visitor)
  await provePhone(visitor, login)
  await logInByPhone(visitor)
  await update(visitor)
  await refresh(visitor)
  await logOut(visitor)
}

/** The SDK as a storefront sets it up. */
function sdk(mode) {
  const auth = mode === "session" ? { type: "session" } : { type: "jwt", jwtTokenStorageMethod: "memory" }
  return new Medusa({ baseUrl, publishableKey, auth })
}

/** Registers, and creates the customer with both contacts. Returns the registration token and the customer's id. */
async function register({ mode, sdk, email, phone }) {
  const token = await sdk.auth.register("customer", "emailpass", { email, password })
  assert.equal(typeof token, "string")
  const { customer } = await sdk.store.customer.create({ email, phone, first_name: "Ada" }, {}, bearer(token))
  assert.equal(customer.email, email)
  assert.equal(customer.phone, phone)
  assert.equal(customer.has_account, true)
  assert.equal(customer.email_verified, false)
  assert.equal(customer.phone_verified, false)
  report({ mode, step: "register", customer_id: customer.id })

  await refused(sdk.auth.login("customer", "emailpass", { email, password }), 401, "Email is not verified")
  report({ mode, step: "unverified login refused" })
  return { token, id: customer.id }
}

/** Proves the e-mail with the code out of the mail; a wrong code first. */
async function proveEmail({ mode, sdk, email }, { token, id }) {
  const sent = await post(sdk, "/store/customers/otp/send", { type: "email_verification", customer_id: id }, token)
  assert.equal(typeof sent.token, "string")
  assert.ok(Date.parse(sent.expires_at) > Date.now())
  const { code, text, html } = await messageTo("email", email)
  assert.match(code, /^[0-9]{6}$/)
  assert.ok(text.includes(code), "the text part has the code")
  assert.ok(html.includes(code), "the HTML part has the code")

  const wrong = code === "000000" ? "000001" : "000000"
  const attempt = post(sdk, "/store/customers/otp/verify", { token: sent.token, code: wrong }, token)
  await refused(attempt, 400, "Invalid OTP code")

  const verified = await post(sdk, "/store/customers/otp/verify", { token: sent.token, code }, token)
  assert.equal(verified.verified, true)
  assert.equal(verified.email_verified, true)
  assert.equal(verified.customer.id, id)
  assert.equal(verified.needs_login, false)
  assert.equal(typeof verified.token, "string")

  const again = post(sdk, "/store/customers/otp/verify", { token: sent.token, code }, token)
  await refused(again, 400, "OTP is no longer valid")
  report({ mode, step: "email verified" })
}

/** Logs in by e-mail and reads the customer. Returns the login token. */
async function logInByEmail({ mode, sdk, email }) {
  const token = await sdk.auth.login("customer", "emailpass", { email, password })
  assert.equal(typeof token, "string")
  const { customer } = await sdk.store.customer.retrieve()
  assert.equal(customer.email, email)
  assert.equal(customer.email_verified, true)
  assert.equal(customer.phone_verified, false)
  assert.equal(jar.cookies.has("cr.sid"), mode === "session")
  report({ mode, step: "login by email" })
  return { token, id: customer.id }
}

/** Proves the phone with the code out of the text message; before that nobody logs in with it. */
async function provePhone({ mode, sdk, phone }, { token, id }) {
  const early = sdk.auth.login("customer", "phonepass", { phone, password })
  await refused(early, 401, "Invalid phone or password")

  const sent = await post(sdk, "/store/customers/otp/send", { type: "phone_verification", customer_id: id }, token)
  const { code, text } = await messageTo("sms", phone)
  assert.ok(text.includes(code), "the text message has the code")
  const verified = await post(sdk, "/store/customers/otp/verify", { token: sent.token, code }, token)
  assert.equal(verified.verified, true)
  assert.equal(verified.phone_verified, true)
  report({ mode, step: "phone verified" })
}

/** Logs in by phone with the same password, through either provider's route, and reads both flags. */
async function logInByPhone({ mode, sdk, phone }) {
  for (const provider of ["emailpass", "phonepass"]) {
    await sdk.auth.login("customer", provider, { phone, password })
    const { customer } = await sdk.store.customer.retrieve()
    assert.equal(customer.phone, phone)
    assert.equal(customer.email_verified, true)
    assert.equal(customer.phone_verified, true)
    report({ mode, step: "login by phone", provider })
  }
}

/** Changes a name, and finds that contacts are not changed this way. */
async function update({ mode, sdk }) {
  const { customer } = await sdk.store.customer.update({ first_name: "Grace", metadata: { size: "M" } })
  assert.equal(customer.first_name, "Grace")
  assert.deepEqual(customer.metadata, { size: "M" })
  const sentence = "Phone changes require OTP verification. Use POST /store/customers/me/contact to request a change."
  await refused(sdk.store.customer.update({ phone: "+15550000000" }), 400, sentence)
  report({ mode, step: "update" })
}

/** Refreshes the token. A session is no token, so in session mode the SDK's caller sends one along, and a new session comes of it. */
async function refresh({ mode, sdk, email }) {
  const token = await sdk.auth.login("customer", "emailpass", { email, password })
  const before = jar.cookies.get("cr.sid")
  const fresh = await sdk.auth.refresh(mode === "session" ? bearer(token) : {})
  assert.equal(typeof fresh, "string")
  if (mode === "session") assert.notEqual(jar.cookies.get("cr.sid"), before)
  const { customer } = await sdk.store.customer.retrieve()
  assert.equal(customer.first_name, "Grace")
  report({ mode, step: "refresh" })
}

/** Logs out: the token is forgotten, the cookie cleared, and the customer's page closed. */
async function logOut({ mode, sdk }) {
  await sdk.auth.logout()
  assert.equal(jar.cookies.has("cr.sid"), false)
  await refused(sdk.store.customer.retrieve(), 401, "Unauthorized")
  report({ mode, step: "logout" })
}

/** Posts through the SDK's own client, which is how its users reach routes that it does not know. */
function post(sdk, path, body, token) {
  return sdk.client.fetch(path, { method: "POST", body, headers: bearer(token) })
}

/** What the SDK does by itself in JWT mode, and not in session mode while there is no session yet. */
function bearer(token) {
  return { Authorization: `Bearer ${token}` }
}

/** Asserts that the SDK's promise fails with this status and sentence. */
async function refused(promise, status, message) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.status, status, `status of: ${error.message}`)
    assert.equal(error.message, message)
    return true
  })
}
