/** Names an account in exactly one way. `identifier` is an e-mail; `email_or_phone` is an e-mail where it holds an `@`. */
export type AccountLookup =
  | { identifier: string; email?: never; phone?: never; email_or_phone?: never }
  | { email: string; identifier?: never; phone?: never; email_or_phone?: never }
  | { phone: string; identifier?: never; email?: never; email_or_phone?: never }
  | { email_or_phone: string; identifier?: never; email?: never; phone?: never }

export type RequestPasswordResetInput = AccountLookup

export type CompletePasswordResetInput = AccountLookup & {
  /** The new password. */
  password: string
  /** The token of the link. */
  token: string
}

/** What is used of a Medusa JS SDK. */
export interface MedusaSdk {
  client: {
    fetch(path: string, init: { method: string; body: Record<string, unknown>; headers: Record<string, string> }): Promise<any>
  }
}

/** A Medusa JS SDK, or where the server is, for plain fetch. */
export type HelperOptions =
  | { sdk: MedusaSdk; baseUrl?: never; publishableApiKey?: never }
  | { baseUrl: string; publishableApiKey?: string; sdk?: never }

export interface CompletePasswordResetResult {
  message: string
  success: true
}

/** What went wrong, as the server said it. Through the SDK, `type` comes from the status and `code` is left out. */
export class CustomerRegistrationError extends Error {
  status: number
  type: string
  code?: string
}

/** Asks for a link to set a new password; the same answer for every account and for none. */
export function requestPasswordReset(input: RequestPasswordResetInput, options: HelperOptions): Promise<void>

/** Sets a new password with the token of the link. */
export function completePasswordReset(
  input: CompletePasswordResetInput,
  options: HelperOptions,
): Promise<CompletePasswordResetResult>

/** {@link requestPasswordReset} with its options bound. */
export function createRequestPasswordReset(options: HelperOptions): (input: RequestPasswordResetInput) => Promise<void>

/** {@link completePasswordReset} with its options bound. */
export function createCompletePasswordReset(
  options: HelperOptions,
): (input: CompletePasswordResetInput) => Promise<CompletePasswordResetResult>
