// What a storefront's page would hold: the helpers and Medusa's JS SDK, bundled as every storefront bundles them. The script that
// drives the page calls `storefront`.

import Medusa from "@medusajs/js-sdk"

import {
  CustomerRegistrationError,
  completePasswordReset,
  createCompletePasswordReset,
  createRequestPasswordReset,
  requestPasswordReset,
} from "../packages/customer-registration/helpers.js"

/** The helpers' options in one of their two modes. */
function options({ mode, baseUrl, publishableKey }) {
  if (mode === "fetch") return { baseUrl, publishableApiKey: publishableKey }
  return { sdk: new Medusa({ baseUrl, publishableKey, auth: { type: "jwt", jwtTokenStorageMethod: "memory" } }) }
}

/** What came of a call, in a form that leaves the page: the answer, or the helper's error. */
async function told(call) {
  try {
    return { answer: await call }
  } catch (error) {
    if (!(error instanceof CustomerRegistrationError)) throw error
    const { status, type, code, message } = error
    return { error: { status, type, code, message } }
  }
}

globalThis.storefront = {
  request: (shop, input) => told(requestPasswordReset(input, options(shop))),
  complete: (shop, input) => told(completePasswordReset(input, options(shop))),
  boundRequest: (shop, input) => told(createRequestPasswordReset(options(shop))(input)),
  boundComplete: (shop, input) => told(createCompletePasswordReset(options(shop))(input)),
}
