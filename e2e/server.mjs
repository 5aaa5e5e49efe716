// The running server as these scripts see it: where it is, and how its inbox is read.

export { report } from "./report.mjs"

/** The server's address, without a slash at its end. */
export const baseUrl = required("BASE_URL").replace(/\/$/, "")

/** Sent as `x-publishable-api-key`. */
export const publishableKey = required("PUBLISHABLE_KEY")

/** Where the messages of the `local` notification provider are read. */
const inboxUrl = `${baseUrl}${process.env.INBOX_PATH ?? "/app/inbox.json"}`

/** Fetch as it was before anybody wrapped it: the inbox answers strangers no less. */
const plainFetch = globalThis.fetch

/** One environment variable; without it nothing can be shown. */
function required(name) {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set`)
  return value
}

/** Every message in the inbox, newest first: `{id, channel, to, subject, html, text, code, created_at}`. */
async function messages() {
  const response = await plainFetch(inboxUrl)
  if (!response.ok) throw new Error(`${inboxUrl} answered ${response.status}`)
  return (await response.json()).messages
}

/**
 * The newest message to an address on a channel. Messages are sent behind the answer, so the inbox is asked again until it is
 * there, ten seconds at most.
 */
export async function messageTo(channel, to) {
  const deadline = Date.now() + 60_000
  while (Date.now() < deadline) {
    const message = (await messages()).find((candidate) => candidate.channel === channel && candidate.to === to)
    if (message) return message
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`no ${channel} to ${to} came within ten seconds`)
}
