// Every page in a real browser, at both widths, light and dark: axe finds nothing, nothing moves while it loads, nothing is wider
// than the screen, the browser complains of nothing; and a picture of each for people to look at.

import assert from "node:assert/strict"
import { mkdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"

import { withBrowser } from "./browser.mjs"
import { report } from "./report.mjs"
import { administrator, api, baseUrl, codeTo, customer, signIn } from "./pages-shop.mjs"

const folder = process.env.SCREENSHOTS
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
/** Every kind of movement counts; this is what Web Vitals calls good. On a busy machine what is loaded comes after the first paint. */
const MOST_SHIFT = 0.1

/** How each page is reached, in this order within one browser. */
const PAGES = {
  start: async (page) => {
    await page.goto(`${baseUrl}/`)
    assert.equal(new URL(page.url()).pathname, "/app/")
  },
  reference: async (page) => {
    await page.goto(`${baseUrl}/docs`)
    await page.waitForSelector(".operation")
  },
  "inbox-empty": async (page) => {
    await page.goto(`${baseUrl}/app/inbox`)
    await page.getByText("0 messages").waitFor()
  },
  inbox: async (page) => {
    const email = `${Math.random().toString(36).slice(2)}@example.com`
    const token = await customer(email, "Reader")
    await api("/store/customers/otp/send", { type: "email_verification", email }, token)
    await codeTo(email)
    await page.reload()
    await page.getByText(email).first().click()
    await page.getByRole("button", { name: "Copy code" }).waitFor()
    await page.frameLocator("#html").locator("body").waitFor()
  },
  "sign-in": async (page) => {
    await fetch(`${baseUrl}/app/inbox.json`, { method: "DELETE" })
    await page.goto(`${baseUrl}/app/account-deletion-requests`)
    await page.getByRole("heading", { name: "Sign in" }).waitFor()
  },
  "sign-in-refused": async (page) => {
    await signIn(page, { ...administrator, password: "wrong" })
    await page.getByText("Invalid email or password").waitFor()
  },
  requests: async (page) => {
    await signIn(page, administrator)
    await page.waitForSelector("#rows tr")
  },
  "requests-none": async (page) => {
    await page.goto(`${baseUrl}/app/account-deletion-requests?status=pending`)
    await page.getByText("No pending requests.").waitFor()
  },
  "request-long": async (page) => {
    await page.goto(`${baseUrl}/app/account-deletion-requests?order=customer_id&order_direction=ASC`)
    await page.locator("#rows button").nth(3).click()
    await page.getByText("None is kept.").waitFor()
  },
  "request-sure": async (page) => {
    await page.getByRole("button", { name: "Delete now" }).click()
    await page.getByText("This cannot be undone.").waitFor()
  },
}

mkdirSync(folder, { recursive: true })
await withBrowser(async (browser) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 360]) {
      const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" })
      const page = await context.newPage()
      const complaints = []
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
      page.on("pageerror", (error) => complaints.push(String(error)))
      await page.addInitScript(watchShifts)
      for (const [name, open] of Object.entries(PAGES)) {
        await open(page)
        await judge(page, `${name}-${width}-${colorScheme}`)
      }
      // Who is not signed in yet hears 401, which the browser tells.
      assert.deepEqual(complaints.filter((text) => !text.includes("401 (Unauthorized)")), [])
      await context.close()
    }
  }
})
report({ pages: Object.keys(PAGES).length, step: "looked at" })

/** Adds up how much what was drawn moves, but for what a key or a click causes. */
function watchShifts() {
  window.shifted = 0
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value
  }).observe({ type: "layout-shift", buffered: true })
}

/** Holds the page as it stands against the rules, and takes its picture. */
async function judge(page, name) {
  await page.screenshot({ path: join(folder, `${name}.png`) })
  const { width, screen, shifted } = await page.evaluate(() => ({
    width: document.scrollingElement.scrollWidth,
    screen: innerWidth,
    shifted: window.shifted,
  }))
  assert.ok(width <= screen, `${name} is ${width} pixels wide on a screen of ${screen}`)
  assert.ok(shifted <= MOST_SHIFT, `${name} moves by ${shifted}`)
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run(document, { iframes: false }))
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`)
  assert.deepEqual(told, [], name)
}
