// What the shop writes below `options` of the plugin, checked once at Medusa's start. Nothing of Medusa is needed here.

import { keyOf } from "./webhook/signature"

/** Template ids of the shop's own providers, by channel and by the name of the server's template: `{ email: { password_reset: "d-1" } }`. */
export type Templates = Record<string, Record<string, string>>

/** The options in the form in which they are used. */
export interface CompanionOptions {
  /** The keys in the secrets, each good for a signature. */
  keys: Buffer[]
  templates: Templates
}

/**
 * Reads `{ secrets: string[], templates?: Templates }`. Other names are left alone: Medusa adds some of its own.
 *
 * Throws an Error with one sentence, which names the option and never its value.
 */
export function readOptions(options: Record<string, unknown> | undefined): CompanionOptions {
  const { secrets, templates } = options ?? {}
  return { keys: readSecrets(secrets), templates: readTemplates(templates) }
}

/** At least one secret; a variable that is not set shows as a missing one. */
function readSecrets(secrets: unknown): Buffer[] {
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw problem("`secrets` must be a list of the secrets that the server signs with")
  }
  return secrets.map((secret, index) => {
    if (typeof secret !== "string" || secret === "") {
      throw problem(`\`secrets[${index}]\` is missing: is its environment variable set?`)
    }
    const key = keyOf(secret)
    if (!key) {
      throw problem(`\`secrets[${index}]\` must be base64 after \`whsec_\``)
    }
    if (key.length < 16) {
      throw problem(`\`secrets[${index}]\` must have 16 bytes or more, or it can be guessed`)
    }
    return key
  })
}

/** A map of maps of texts. */
function readTemplates(templates: unknown): Templates {
  if (templates === undefined) {
    return {}
  }
  if (!isMap(templates)) {
    throw problem("`templates` must be a map from channels to maps")
  }
  for (const [channel, names] of Object.entries(templates)) {
    if (!isMap(names)) {
      throw problem(`\`templates.${channel}\` must be a map from the server's template names to your provider's`)
    }
    for (const [name, id] of Object.entries(names)) {
      if (typeof id !== "string" || id === "") {
        throw problem(`\`templates.${channel}.${name}\` must be a text`)
      }
    }
  }
  return templates as Templates
}

/** Whether it is an object with names, not a list. */
function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** One sentence that says whose option is wrong. */
function problem(sentence: string): Error {
  return new Error(`customer-registration-medusa-companion: ${sentence}.`)
}
