// Hands a message to Medusa's Notification module, so that the shop's own providers send it: once when all is well, again when a
// first try failed, and without leaving a code in the table `notification`.

import type { CreateNotificationDTO, INotificationModuleService, NotificationDTO } from "@medusajs/framework/types"

import type { Templates } from "../options"
import type { Notification } from "./frame"

/** How long a send may be under way before it counts as broken off. The server itself waits for half of it. */
const PENDING_SECONDS = 60

/** The module with the two methods that it has and its type leaves out. */
export type Notifications = INotificationModuleService & {
  updateNotifications(change: { id: string; data: null }): Promise<unknown>
  deleteNotifications(id: string): Promise<void>
}

/** What came of it. */
export type Outcome =
  | { outcome: "sent" | "already_sent" }
  | { outcome: "under_way"; retryAfterSeconds: number }
  | { outcome: "failed"; reason: string }

/**
 * Sends it, unless that was done before. `now` is in milliseconds since 1970.
 *
 * Rejects when the module cannot be asked.
 */
export async function deliver(
  notifications: Notifications,
  notification: Notification,
  templates: Templates,
  now: number
): Promise<Outcome> {
  const earlier = await findByKey(notifications, notification.idempotency_key)
  if (earlier) {
    const decision = judge(earlier, now)
    if (decision !== "again") {
      await blank(notifications, earlier)
      return decision
    }
    // Medusa 2.11.2 and 2.21.2 send again under the key of a failed row, and then look for a row that they never made
    // (`notification-module-service`, createNotifications_): they throw after the message is out. A row of its own helps.
    await notifications.deleteNotifications(earlier.id)
  }
  return send(notifications, prepare(notification, templates))
}

/** What an earlier try means for this one. */
export function judge(
  earlier: Pick<NotificationDTO, "status" | "created_at">,
  now: number
): Exclude<Outcome, { outcome: "failed" }> | "again" {
  if (earlier.status === "success") {
    return { outcome: "already_sent" }
  }
  const ageSeconds = Math.floor((now - new Date(earlier.created_at).getTime()) / 1000)
  if (earlier.status === "pending" && ageSeconds < PENDING_SECONDS) {
    return { outcome: "under_way", retryAfterSeconds: Math.min(PENDING_SECONDS, PENDING_SECONDS - ageSeconds) }
  }
  return "again"
}

/**
 * What Medusa is given. Without a template of the shop's the rendered content, which Medusa does not store; with one, its id and
 * the variables, and no content, since providers prefer that.
 */
export function prepare(notification: Notification, templates: Templates): CreateNotificationDTO {
  const { to, channel, template, trigger_type, receiver_id, idempotency_key } = notification
  const common = { to, channel, trigger_type, receiver_id, idempotency_key }
  const own = templates[channel]?.[template]
  if (own !== undefined) {
    return { ...common, template: own, data: notification.data }
  }
  const content = {
    subject: notification.subject ?? undefined,
    html: notification.html ?? undefined,
    text: notification.text,
  }
  return { ...common, template, data: {}, content }
}

/**
 * Replaces whatever of the message stands in a text for the log, as it is or as JSON: Medusa and its providers may quote it. What is
 * as long as a token goes too, for a quotation that breaks off.
 */
export function withoutSecrets(text: string, notification: Notification): string {
  const { to, subject, html, text: rendered, data } = notification
  const secrets = [to, subject, html, rendered, ...Object.values(data)]
    .filter((value): value is string => typeof value === "string" && value.length >= 4)
    .flatMap((value) => [value, JSON.stringify(value).slice(1, -1)])
    .sort((one, other) => other.length - one.length)
  const without = secrets.reduce((left, secret) => left.split(secret).join("[...]"), text)
  return without.replace(/[\w.-]{32,}/g, "[...]")
}

/** One try. */
async function send(notifications: Notifications, prepared: CreateNotificationDTO): Promise<Outcome> {
  let made: NotificationDTO | undefined
  let failure: unknown
  try {
    made = await notifications.createNotifications(prepared)
  } catch (error) {
    failure = error
  }
  const row = await findByKey(notifications, prepared.idempotency_key as string)
  if (row) {
    await blank(notifications, row)
  }
  if (failure !== undefined) {
    return { outcome: "failed", reason: failure instanceof Error ? failure.message : String(failure) }
  }
  // No row: another request with this key was quicker by a moment, and Medusa left it alone.
  return made?.status === "success" ? { outcome: "sent" } : { outcome: "under_way", retryAfterSeconds: PENDING_SECONDS }
}

/** The row under a key, which is unique. */
async function findByKey(notifications: Notifications, key: string): Promise<NotificationDTO | undefined> {
  const filter = { idempotency_key: key } as Parameters<Notifications["listNotifications"]>[0]
  const rows = await notifications.listNotifications(filter)
  return rows[0]
}

/** Takes the variables out of a row: there is a code among them. */
async function blank(notifications: Notifications, row: NotificationDTO): Promise<void> {
  if (row.data && Object.keys(row.data).length > 0) {
    await notifications.updateNotifications({ id: row.id, data: null })
  }
}
