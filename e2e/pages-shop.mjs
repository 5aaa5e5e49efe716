// What the scripts that open our pages share: who the administrator is, and the ways of a customer through the API.

import assert from "node:assert/strict"

/** The server's address, without a slash at its end. */
export const baseUrl = process.env.BASE_URL
/** Made by the program's command `user`. */
export const administrator = { email: process.env.ADMIN_EMAIL, password: process.env.ADMIN_PASSWORD }

const PASSWORD = "a customer's password 1"

/** Fills the sign-in and sends it. */
export async function signIn(page, { email, password }) {
  await page.getByLabel("E-mail").fill(email)
  await page.getByLabel("Password").fill(password)
  await page.getByRole("button", { name: "Sign in" }).click()
}

/** Calls the API as a storefront does. */
export async function api(path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) }
  const response = await fetch(`${baseUrl}${path}`, { method: "POST", headers, body: JSON.stringify(body) })
  return { status: response.status, ...(await response.json()) }
}

/** The newest code that was sent to an address: asked for again until it is there, ten seconds at most. */
export async function codeTo(address) {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    const { messages } = await (await fetch(`${baseUrl}/app/inbox.json`)).json()
    const message = messages.find(({ to, code }) => to === address && code)
    if (message) return message.code
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`no code came to ${address} within ten seconds`)
}

/** Registers a customer: the token of a login. */
export async function customer(email, name) {
  const { token } = await api("/auth/customer/emailpass/register", { email, password: PASSWORD })
  const made = await api("/store/customers", { email, first_name: name }, token)
  assert.equal(made.status, 200, JSON.stringify(made))
  return login(email).then((answer) => answer.token)
}

/** Logs a customer in: the answer. */
export function login(email) {
  return api("/auth/customer/emailpass", { email, password: PASSWORD })
}

/** A customer with a name and a proven e-mail who asked to be deleted, for this reason, and confirmed it. */
export async function leaving(email, name, reason) {
  const first = await customer(email, name)
  const sent = await api("/store/customers/otp/send", { type: "email_verification", email }, first)
  const { token } = await api("/store/customers/otp/verify", { token: sent.token, code: await codeTo(email) }, first)
  await fetch(`${baseUrl}/app/inbox.json`, { method: "DELETE" })
  const asked = await api("/store/customers/account-deletion/request", { reason }, token)
  const confirmed = await api("/store/customers/account-deletion/confirm", { token: asked.token, code: await codeTo(email) })
  assert.equal(confirmed.request?.status, "confirmed", JSON.stringify(confirmed))
}
