// The bytes of a request as they came: a signature is over these, and not over what a parser made of them.

import type { IncomingMessage } from "node:http"

/** The longest message that a server with very large templates could send. */
const LIMIT_BYTES = 1024 * 1024

/**
 * The whole body, or `undefined` when it is longer than a webhook can be, or breaks off; what is too much stays unread.
 *
 * Medusa's parsers are switched off for the route. Should a shop have switched on one that keeps the raw body, that is taken.
 */
export function readBody(request: IncomingMessage & { rawBody?: unknown }): Promise<Buffer | undefined> {
  if (Buffer.isBuffer(request.rawBody)) {
    return Promise.resolve(request.rawBody)
  }
  if (request.readableEnded) {
    return Promise.resolve(undefined)
  }
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size > LIMIT_BYTES) {
        request.pause()
        resolve(undefined)
      }
      chunks.push(chunk)
    })
    request.on("end", () => resolve(Buffer.concat(chunks)))
    // Broken off: nobody is there to hear the answer. After the end this changes nothing.
    request.on("error", () => resolve(undefined))
    request.on("close", () => resolve(undefined))
  })
}
