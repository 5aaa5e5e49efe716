// The development inbox: a code is sent through the API, read on the page, and proves what it was sent to.

import assert from "node:assert/strict"

import { withBrowser } from "./browser.mjs"
import { api, baseUrl, customer } from "./pages-shop.mjs"
import { report } from "./report.mjs"

await withBrowser(async (browser) => {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  await fetch(`${baseUrl}/app/inbox.json`, { method: "DELETE" })
  await page.goto(`${baseUrl}/app/inbox`)
  await page.getByText("Development only.").waitFor()
  await page.getByText("No messages yet.").waitFor()

  const token = await customer("reader@example.com", "Reader")
  const sent = await api("/store/customers/otp/send", { type: "email_verification", email: "reader@example.com" }, token)
  // The page finds it by itself.
  await page.getByRole("navigation", { name: "Messages" }).getByText("reader@example.com").first().click()
  const code = await page.getByLabel("Code", { exact: true }).textContent()
  await page.getByRole("button", { name: "Copy code" }).click()
  await page.getByRole("button", { name: "Copied" }).waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code)
  const proven = await api("/store/customers/otp/verify", { token: sent.token, code }, token)
  assert.deepEqual([proven.verified, proven.email_verified], [true, true])
  report({ step: "code" })

  const frame = page.frameLocator("#html")
  assert.ok((await frame.locator("body").textContent()).includes(code), "the mail as a mail client shows it")
  await page.getByRole("button", { name: "Text", exact: true }).click()
  assert.ok((await page.locator("#text").textContent()).includes(code))
  await page.getByRole("button", { name: "HTML", exact: true }).click()
  await frame.locator("body").waitFor()
  report({ step: "views" })

  await page.getByRole("button", { name: "Clear" }).click()
  await page.getByText("No messages yet.").waitFor()
  assert.equal((await (await fetch(`${baseUrl}/app/inbox.json`)).json()).messages.length, 0)
  report({ step: "clear" })
})
