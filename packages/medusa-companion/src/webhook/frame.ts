// What a webhook says: `{"type","timestamp","data"}`. Nothing of Medusa is needed here.

/** The type of a message that Medusa's providers shall send. */
export const NOTIFICATION = "notification.send"

/** A webhook's body. */
export interface Frame {
  type: string
  data: Record<string, unknown>
}

/** A message as the server rendered it. */
export interface Notification {
  /** E-mail address or E.164 phone number. */
  to: string
  channel: string
  /** The server's name of the template, such as `email_verification`. */
  template: string
  subject: string | null
  html: string | null
  text: string
  /** What the template was filled with; mostly with a code. */
  data: Record<string, unknown>
  trigger_type: string | null
  receiver_id: string | null
  idempotency_key: string
}

/** A body of another shape; the message is a sentence for the sender. */
export class MalformedError extends Error {}

/** Reads a body. Throws a MalformedError. */
export function readFrame(body: Buffer): Frame {
  const frame = fieldsOf(parse(body), "The body")
  return { type: text(frame, "type"), data: fieldsOf(frame.data, "Field 'data'") }
}

/** Reads the data of a message. Throws a MalformedError. */
export function readNotification(data: Record<string, unknown>): Notification {
  const content = fieldsOf(data.content, "Field 'content'")
  return {
    to: text(data, "to"),
    channel: text(data, "channel"),
    template: text(data, "template"),
    subject: textOrNull(data, "subject"),
    html: textOrNull(content, "html"),
    text: text(content, "text"),
    data: data.data === undefined || data.data === null ? {} : fieldsOf(data.data, "Field 'data'"),
    trigger_type: textOrNull(data, "trigger_type"),
    receiver_id: textOrNull(data, "receiver_id"),
    idempotency_key: text(data, "idempotency_key"),
  }
}

/**
 * Whether an event is one for the bus: of customers, of deletions.
 *
 * `auth.password_reset` is not: it comes without its token, and a shop's subscriber would mail a link that leads nowhere.
 */
export function isForTheBus(type: string): boolean {
  return type.startsWith("customer.") || type.startsWith("account_deletion.")
}

/** The JSON in a body. The parser's own words are not passed on: they quote the body. */
function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"))
  } catch {
    throw new MalformedError("The body must be JSON")
  }
}

/** An object with names, not a list. */
function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedError(`${what} must be an object`)
  }
  return value as Record<string, unknown>
}

/** A text that says something. */
function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value !== "string" || value === "") {
    throw new MalformedError(`Field '${name}' must be a text`)
  }
  return value
}

/** A text, or nothing. */
function textOrNull(fields: Record<string, unknown>, name: string): string | null {
  return fields[name] === undefined || fields[name] === null ? null : text(fields, name)
}
