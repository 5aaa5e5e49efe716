// The real SDK is an SDK to the helpers. Its own types are for bundlers alone.

import Medusa from "@medusajs/js-sdk"

import { type MedusaSdk, requestPasswordReset } from "customer-registration/helpers"

const sdk = new Medusa({ baseUrl: "http://127.0.0.1:9000", publishableKey: "pk_1" })
export const asMedusaSdk: MedusaSdk = sdk
export const asked: Promise<void> = requestPasswordReset({ email: "a@example.com" }, { sdk })
