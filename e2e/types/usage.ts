// How a storefront in TypeScript uses the helpers; `tsc` must take it as it is, and must refuse what is marked.

import {
  type CompletePasswordResetInput,
  type CompletePasswordResetResult,
  CustomerRegistrationError,
  type HelperOptions,
  type MedusaSdk,
  type RequestPasswordResetInput,
  completePasswordReset,
  createCompletePasswordReset,
  createRequestPasswordReset,
  requestPasswordReset,
} from "customer-registration/helpers"

declare const sdk: MedusaSdk
const bySdk: HelperOptions = { sdk }
const byFetch: HelperOptions = { baseUrl: "http://127.0.0.1:9000", publishableApiKey: "pk_1" }

const input: RequestPasswordResetInput = { email_or_phone: "a@example.com" }
const asked: Promise<void> = requestPasswordReset(input, bySdk)
const change: CompletePasswordResetInput = { phone: "+15551234567", password: "p", token: "t" }
const changed: Promise<CompletePasswordResetResult> = completePasswordReset(change, byFetch)

const request = createRequestPasswordReset({ sdk })
const complete = createCompletePasswordReset({ baseUrl: "/" })
export const bound: Promise<[void, CompletePasswordResetResult]> = Promise.all([
  request({ identifier: "a@example.com" }),
  complete({ email: "a@example.com", password: "p", token: "t" }),
])

export async function told(): Promise<string> {
  try {
    await asked
    const { message, success } = await changed
    const yes: true = success
    return `${message} ${yes}`
  } catch (error) {
    if (error instanceof CustomerRegistrationError) {
      const status: number = error.status
      const code: string | undefined = error.code
      return `${status} ${error.type} ${code ?? ""}`
    }
    throw error
  }
}

// @ts-expect-error: an account is named in one way
requestPasswordReset({ email: "a@example.com", phone: "+15551234567" }, bySdk)
// @ts-expect-error: an account is named
requestPasswordReset({}, bySdk)
// @ts-expect-error: a token is needed
completePasswordReset({ email: "a@example.com", password: "p" }, byFetch)
// @ts-expect-error: an SDK or an address, not both
requestPasswordReset(input, { sdk, baseUrl: "/" })
// @ts-expect-error: an SDK or an address
requestPasswordReset(input, {})
// @ts-expect-error: a key is a text
createRequestPasswordReset({ baseUrl: "/", publishableApiKey: 1 })
