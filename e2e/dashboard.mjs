// The dashboard of the real Medusa, through the gateway, as an administrator uses it: signs in by session, opens the customers and
// one of them, changes a name, signs out.

import assert from "node:assert/strict"
import { join } from "node:path"

import { withBrowser } from "./browser.mjs"
import { report } from "./report.mjs"

const { BASE_URL, ADMIN_EMAIL, ADMIN_PASSWORD, CUSTOMER_EMAIL, SCREENSHOTS } = process.env

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US" })
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const failed = []
  page.on("response", (response) => {
    const { pathname } = new URL(response.url())
    // Before and after the session the dashboard asks who is there, and hears that nobody is.
    if (response.status() >= 400 && response.status() !== 401) failed.push(`${response.status()} ${pathname}`)
  })

  await page.goto(`${BASE_URL}/app`)
  await page.waitForURL("**/app/login")
  await page.getByPlaceholder("Email").fill(ADMIN_EMAIL)
  await page.getByPlaceholder("Password").fill("not this one")
  await page.getByRole("button", { name: "Continue with Email" }).click()
  await page.getByText("Invalid email or password").first().waitFor()
  await page.getByPlaceholder("Password").fill(ADMIN_PASSWORD)
  await page.getByRole("button", { name: "Continue with Email" }).click()
  await page.waitForURL((url) => !url.pathname.endsWith("/login"))
  const sessions = (await context.cookies()).map((cookie) => cookie.name).filter((name) => name.endsWith(".sid"))
  assert.deepEqual(sessions, ["cr.sid"], "the session is this server's alone")
  report({ step: "sign in" })

  await page.getByRole("link", { name: "Customers", exact: true }).first().click()
  await page.waitForURL("**/app/customers")
  await page.getByText(CUSTOMER_EMAIL).first().waitFor()
  if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `dashboard-${process.env.MEDUSA_VERSION}.png`) })
  report({ step: "customers" })

  await page.getByText(CUSTOMER_EMAIL).first().click()
  await page.waitForURL("**/app/customers/cus_*")
  const id = new URL(page.url()).pathname.split("/").at(-1)
  await page.goto(`${BASE_URL}/app/customers/${id}/edit`)
  await page.getByLabel("First Name").fill("Renamed")
  await page.getByRole("button", { name: "Save" }).click()
  await page.getByText("Renamed").first().waitFor()
  report({ step: "edit" })

  await page.reload()
  await page.getByText("Renamed").first().waitFor()
  report({ step: "reload" })

  await page.evaluate(() => fetch("/auth/session", { method: "DELETE" }))
  await page.goto(`${BASE_URL}/app/customers`)
  await page.waitForURL("**/app/login**")
  report({ step: "sign out" })
  assert.deepEqual(failed, [], "nothing failed on the way")
})
