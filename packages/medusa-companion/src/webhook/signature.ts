// Who sent a webhook, and when: the Standard Webhooks scheme, section "Signature scheme". Nothing of Medusa is needed here.

import { createHmac, timingSafeEqual } from "node:crypto"

/** Seconds that the sender's clock may be away from ours, in both directions; also how long a recorded request can be repeated. */
const TOLERANCE_SECONDS = 300

/** The three headers, as they came. */
export interface SignatureHeaders {
  id: string | undefined
  timestamp: string | undefined
  /** One or more of `v1,<base64>`, with blanks between. */
  signature: string | undefined
}

/** The key in a secret: what `whsec_` carries as base64, or the text's own bytes. `undefined` where that is no base64. */
export function keyOf(secret: string): Buffer | undefined {
  if (!secret.startsWith("whsec_")) {
    return Buffer.from(secret, "utf8")
  }
  return bytesOf(secret.slice("whsec_".length))
}

/**
 * Why a request is not to be believed, as a sentence for the sender; `undefined` when it is genuine.
 *
 * `nowSeconds` is the time since 1970. The body is signed as it came, byte for byte.
 */
export function refusal(
  keys: readonly Buffer[],
  headers: SignatureHeaders,
  body: Buffer,
  nowSeconds: number
): string | undefined {
  const { id, timestamp, signature } = headers
  if (!id || !timestamp || !signature) {
    return "The headers webhook-id, webhook-timestamp and webhook-signature are required"
  }
  if (!/^\d{1,12}$/.test(timestamp)) {
    return "The header webhook-timestamp must be in seconds since 1970"
  }
  if (!isSigned(keys, `${id}.${timestamp}.`, body, signature)) {
    return "No signature in webhook-signature is right"
  }
  // Judged last, so that only who holds the secret learns what time it is here.
  if (Math.abs(nowSeconds - Number(timestamp)) > TOLERANCE_SECONDS) {
    return "The webhook-timestamp is too far from this server's clock"
  }
  return undefined
}

/** Whether one of the signatures is right by one of the keys. Every pair is compared, each in constant time. */
function isSigned(keys: readonly Buffer[], prefix: string, body: Buffer, header: string): boolean {
  const given = header.split(" ").filter((part) => part.startsWith("v1,")).map((part) => bytesOf(part.slice(3)))
  let matches = false
  for (const key of keys) {
    const expected = createHmac("sha256", key).update(prefix, "utf8").update(body).digest()
    for (const tag of given) {
      if (tag?.length === expected.length && timingSafeEqual(tag, expected)) {
        matches = true
      }
    }
  }
  return matches
}

/** Standard base64 with or without its padding; Node's own reader skips what does not belong there. */
function bytesOf(text: string): Buffer | undefined {
  const digits = text.replace(/=+$/, "")
  const bytes = Buffer.from(digits, "base64")
  return bytes.toString("base64").replace(/=+$/, "") === digits ? bytes : undefined
}
