// A subscriber as a shop has it: tells the test what it heard.

import type { SubscriberArgs, SubscriberConfig } from "@medusajs/framework"

import { observe } from "../observer"

/** Posts the event as it came over the bus. */
export default async function observeCustomers({ event }: SubscriberArgs<Record<string, unknown>>): Promise<void> {
  await observe("/events", { name: event.name, data: event.data, webhook_id: event.metadata?.webhook_id })
}

export const config: SubscriberConfig = { event: ["customer.created", "customer.email_verified"] }
