// Password reset for storefronts: by Medusa's JS SDK, or by plain fetch. No dependencies, no build.

/** What went wrong, as the server said it. `type` is Medusa's word for it, `code` says more where there is more to say. */
export class CustomerRegistrationError extends Error {
  constructor({ status, type, code, message }) {
    super(message)
    this.name = "CustomerRegistrationError"
    this.status = status
    this.type = type
    this.code = code
  }
}

/** The ways to name an account; a request has exactly one of them. */
const LOOKUPS = ["identifier", "email", "phone", "email_or_phone"]

/** What a status means where the SDK keeps the body of the error to itself. */
const TYPES = {
  400: "invalid_data",
  401: "unauthorized",
  403: "not_allowed",
  404: "not_found",
  409: "conflict",
  413: "invalid_data",
  422: "duplicate_error",
  429: "too_many_requests",
  503: "unavailable",
}

/** Asks for a link to set a new password. The answer is the same whether or not there is such an account. */
export async function requestPasswordReset(input, options) {
  await post(options, "/auth/customer/emailpass/reset-password", lookup(input))
}

/** Sets a new password with the token of the link. The token travels in a header, never in a URL. */
export async function completePasswordReset(input, options) {
  const { password, token } = input
  if (!token) throw refused("Field 'token' is required")
  if (!password) throw refused("Field 'password' is required")
  return post(options, "/auth/customer/emailpass/update", { ...lookup(input), password }, token)
}

/** `requestPasswordReset` with its options bound. */
export function createRequestPasswordReset(options) {
  return (input) => requestPasswordReset(input, options)
}

/** `completePasswordReset` with its options bound. */
export function createCompletePasswordReset(options) {
  return (input) => completePasswordReset(input, options)
}

/** The one key of an input that names the account. */
function lookup(input) {
  const named = LOOKUPS.filter((key) => input?.[key] !== undefined && input[key] !== null)
  if (named.length !== 1) throw refused(`Provide exactly one of: ${LOOKUPS.join(", ")}`)
  return { [named[0]]: input[named[0]] }
}

/** The error for an input that need not be sent to be refused. */
function refused(message) {
  return new CustomerRegistrationError({ status: 400, type: "invalid_data", message })
}

/** Sends JSON the way that the options say, and reads the answer. */
function post(options, path, body, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {}
  if (options?.sdk) return bySdk(options.sdk, path, body, headers)
  if (options?.baseUrl) return byFetch(options, path, body, headers)
  throw new TypeError("Give `sdk`, a Medusa JS SDK, or `baseUrl`")
}

/** Through the SDK's client, which adds the publishable key itself. */
async function bySdk(sdk, path, body, headers) {
  try {
    return await sdk.client.fetch(path, { method: "POST", body, headers })
  } catch (error) {
    if (typeof error?.status !== "number") throw error
    const { status, message } = error
    throw new CustomerRegistrationError({ status, type: TYPES[status] ?? "unknown_error", message })
  }
}

/** Through fetch. */
async function byFetch({ baseUrl, publishableApiKey }, path, body, headers) {
  const response = await fetch(`${baseUrl.replace(/\/+$/, "")}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      ...(publishableApiKey ? { "x-publishable-api-key": publishableApiKey } : {}),
      ...headers,
    },
    body: JSON.stringify(body),
  })
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  const { type = TYPES[response.status] ?? "unknown_error", code, message = response.statusText } = answer
  throw new CustomerRegistrationError({ status: response.status, type, code, message })
}
