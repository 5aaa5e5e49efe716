// The npm package's helpers against the running server: a password is reset by e-mail through plain fetch, and by phone through the
// SDK. Errors carry status, type and message.

import assert from "node:assert/strict"
import { createRequire } from "node:module"

import {
  CustomerRegistrationError,
  completePasswordReset,
  createCompletePasswordReset,
  createRequestPasswordReset,
  requestPasswordReset,
} from "../packages/customer-registration/helpers.js"
import { baseUrl, messageTo, publishableKey, report } from "./server.mjs"

const { default: Medusa } = createRequire(import.meta.url)("@medusajs/js-sdk")

const [email, phone] = [process.env.EMAIL, process.env.PHONE]
const sdk = new Medusa({ baseUrl, publishableKey, auth: { type: "jwt", jwtTokenStorageMethod: "memory" } })
const plain = { baseUrl: `${baseUrl}/`, publishableApiKey: publishableKey }

await resets("fetch", plain, "email", email, "first new password 1")
await resets("sdk", { sdk }, "phone", phone, "second new password 2")
await refuses("fetch", plain)
await refuses("sdk", { sdk })
await refusesBeforeSending()

/** Asks for the link, takes the token out of the message, sets the password, and logs in with it. */
async function resets(mode, options, key, value, password) {
  const request = createRequestPasswordReset(options)
  assert.equal(await request({ email_or_phone: value }), undefined)
  const { text } = await messageTo(key === "email" ? "email" : "sms", value)
  const token = /token=([\w.-]+)/.exec(text)[1]
  const answer = await createCompletePasswordReset(options)({ [key]: value, password, token })
  assert.deepEqual(answer, { message: "Password reset successfully", success: true })
  const login = await sdk.client.fetch("/auth/customer/emailpass", { method: "POST", body: { [key]: value, password } })
  assert.equal(typeof login.token, "string")
  await expectError(completePasswordReset({ [key]: value, password, token }, options), 401, "unauthorized", "Invalid token")
  report({ mode, step: "reset" })
}

/** What the server refuses comes as an error of one kind, whichever way it came. */
async function refuses(mode, options) {
  const short = completePasswordReset({ email, password: "x", token: "forged" }, options)
  await expectError(short, 401, "unauthorized", "Invalid token")
  await requestPasswordReset({ identifier: "nobody@example.com" }, options)
  report({ mode, step: "refused" })
}

/** What cannot be right is not sent. */
async function refusesBeforeSending() {
  for (const input of [{}, { email, phone }, undefined]) {
    const message = "Provide exactly one of: identifier, email, phone, email_or_phone"
    await expectError(requestPasswordReset(input, plain), 400, "invalid_data", message)
  }
  await expectError(completePasswordReset({ email, password: "x" }, plain), 400, "invalid_data", "Field 'token' is required")
  await assert.rejects(requestPasswordReset({ email }, {}), TypeError)
  report({ mode: "none", step: "refused" })
}

/** Waits for an error and looks at what it carries. */
async function expectError(promise, status, type, message) {
  const error = await promise.then(() => assert.fail("nothing was refused"), (error) => error)
  assert.ok(error instanceof CustomerRegistrationError, `${error}`)
  assert.deepEqual([error.status, error.type, error.message], [status, type, message])
}
