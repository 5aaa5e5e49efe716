// The two packages that Medusa 2.11.2 hashes passwords and signs tokens with, for comparing with what the server does. Reads a JSON list of
// operations from the variable OPERATIONS, prints a JSON line for each, in their order.

import jwt from "jsonwebtoken"
import scrypt from "scrypt-kdf"

/** Medusa's defaults of the e-mail and password provider. */
const parameters = { logN: 15, r: 8, p: 1 }

const operations = {
  /** `{password}` to `{hash}`, as it stands in `provider_metadata`. */
  hash: async ({ password }) => ({ hash: Buffer.from(await scrypt.kdf(password, parameters)).toString("base64") }),

  /** `{hash, password}` to `{matches}`. */
  verify_hash: async ({ hash, password }) => ({ matches: await scrypt.verify(Buffer.from(hash, "base64"), password) }),

  /** `{claims, secret, expires_in}` to `{token}`. */
  sign: ({ claims, secret, expires_in }) => ({ token: jwt.sign(claims, secret, { expiresIn: expires_in }) }),

  /** `{token, secret}` to `{header, payload}`, or `{error}`. */
  verify_token: ({ token, secret }) => {
    try {
      const { header, payload } = jwt.verify(token, secret, { complete: true })
      return { header, payload }
    } catch (error) {
      return { error: error.message }
    }
  },
}

for (const { operation, ...input } of JSON.parse(process.env.OPERATIONS)) {
  process.stdout.write(`${JSON.stringify(await operations[operation](input))}\n`)
}
