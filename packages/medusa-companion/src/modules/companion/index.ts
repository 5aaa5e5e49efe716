// A module without tables: Medusa gives it the plugin's options, and loads it at its start, so that a wrong option stops the start.

import { Module } from "@medusajs/framework/utils"

import { type CompanionOptions, readOptions } from "../../options"

/** The name under which the route finds it. */
export const COMPANION = "customer_registration_companion"

/** Holds the options. */
export class Companion {
  readonly options: CompanionOptions

  constructor(_container: unknown, options?: Record<string, unknown>) {
    this.options = readOptions(options)
  }
}

/** Refuses wrong options before anybody asks for the service. */
async function checkOptions({ options }: { options?: Record<string, unknown> }): Promise<void> {
  readOptions(options)
}

export default Module(COMPANION, { service: Companion, loaders: [checkOptions] })
