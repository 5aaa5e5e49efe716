// A provider of notifications as a shop has it: hands the message to the test, which may refuse it.

import type { ProviderSendNotificationDTO } from "@medusajs/framework/types"
import { AbstractNotificationProviderService, ModuleProvider, Modules } from "@medusajs/framework/utils"

import { observe } from "../../observer"

/** Sends by posting to the test. */
class ObservedNotificationService extends AbstractNotificationProviderService {
  static identifier = "observed"

  async send(notification: ProviderSendNotificationDTO): Promise<{ id?: string }> {
    const { to, channel, template, data, content } = notification
    await observe("/notifications", { to, channel, template, data, content })
    return {}
  }
}

export default ModuleProvider(Modules.NOTIFICATION, { services: [ObservedNotificationService] })
