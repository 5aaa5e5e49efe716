// POST /hooks/customer-registration: the webhooks of a customer-registration server.
//
// Any 2xx says that nothing is left to do. 4xx is final for the server, 5xx is tried again. Bodies are Medusa's, `{type, message}`,
// and made here, since the versions of Medusa turn the same error into different answers.

import type { MedusaRequest, MedusaResponse } from "@medusajs/framework/http"
import type { Logger } from "@medusajs/framework/types"
import { ContainerRegistrationKeys, Modules } from "@medusajs/framework/utils"

import { COMPANION, type Companion } from "../../../modules/companion"
import { readBody } from "../../../webhook/body"
import { type Notifications, deliver, withoutSecrets } from "../../../webhook/deliver"
import { type Frame, MalformedError, NOTIFICATION, isForTheBus, readFrame, readNotification } from "../../../webhook/frame"
import { refusal } from "../../../webhook/signature"

/** Judges who sends, reads what, and does it. */
export async function POST(request: MedusaRequest, response: MedusaResponse): Promise<void> {
  const companion = request.scope.resolve<Companion>(COMPANION)
  const body = await readBody(request)
  if (!body) {
    response.setHeader("connection", "close")
    answerError(response, 413, "invalid_data", "The body is too long for a webhook, or was read by another parser")
    return
  }
  const id = headerOf(request, "webhook-id")
  const headers = { id, timestamp: headerOf(request, "webhook-timestamp"), signature: headerOf(request, "webhook-signature") }
  const refused = refusal(companion.options.keys, headers, body, Math.floor(Date.now() / 1000))
  if (refused !== undefined) {
    loggerOf(request).warn(`A webhook was refused: ${refused}`)
    answerError(response, 401, "unauthorized", refused)
    return
  }
  try {
    await act(request, response, id as string, readFrame(body))
  } catch (error) {
    if (!(error instanceof MalformedError)) {
      throw error
    }
    loggerOf(request).warn(`Webhook ${id} was refused: ${error.message}`)
    answerError(response, 400, "invalid_data", error.message)
  }
}

/** Does what a genuine webhook says. Throws a MalformedError. */
async function act(request: MedusaRequest, response: MedusaResponse, id: string, frame: Frame): Promise<void> {
  if (frame.type === NOTIFICATION) {
    await notify(request, response, id, frame)
    return
  }
  if (!isForTheBus(frame.type)) {
    response.status(200).json({ outcome: "ignored" })
    return
  }
  try {
    const bus = request.scope.resolve(Modules.EVENT_BUS)
    await bus.emit({ name: frame.type, data: frame.data, metadata: { webhook_id: id } })
  } catch (error) {
    loggerOf(request).error(`The event of webhook ${id} could not be emitted: ${messageOf(error)}`)
    answerError(response, 503, "unexpected_state", "The event could not be emitted")
    return
  }
  response.status(200).json({ outcome: "emitted" })
}

/** Has a message sent. Throws a MalformedError. */
async function notify(request: MedusaRequest, response: MedusaResponse, id: string, frame: Frame): Promise<void> {
  const notification = readNotification(frame.data)
  const { options } = request.scope.resolve<Companion>(COMPANION)
  const fail = (reason: string): void => {
    loggerOf(request).error(`The message of webhook ${id} was not sent: ${withoutSecrets(reason, notification)}`)
    answerError(response, 502, "unexpected_state", "The message was not sent")
  }
  try {
    const notifications = request.scope.resolve(Modules.NOTIFICATION) as Notifications
    const result = await deliver(notifications, notification, options.templates, Date.now())
    if (result.outcome === "failed") {
      fail(result.reason)
    } else if (result.outcome === "under_way") {
      response.setHeader("retry-after", String(result.retryAfterSeconds))
      answerError(response, 503, "unexpected_state", "The message is being sent by another request")
    } else {
      response.status(200).json(result)
    }
  } catch (error) {
    fail(messageOf(error))
  }
}

/** An error as Medusa shows one. */
function answerError(response: MedusaResponse, status: number, type: string, message: string): void {
  response.status(status).json({ type, message })
}

/** A header that came once. */
function headerOf(request: MedusaRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === "string" ? value : undefined
}

/** Medusa's log. */
function loggerOf(request: MedusaRequest): Logger {
  return request.scope.resolve(ContainerRegistrationKeys.LOGGER)
}

/** An error in words. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
