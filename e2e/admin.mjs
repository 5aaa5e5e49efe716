// The page over account deletion requests, as an administrator uses it: a real browser, the real program, no mocks.

import assert from "node:assert/strict"

import { withBrowser } from "./browser.mjs"
import { administrator, baseUrl, leaving, login, signIn } from "./pages-shop.mjs"
import { report } from "./report.mjs"

const PAGE = `${baseUrl}/app/account-deletion-requests`

await withBrowser(async (browser) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, timezoneId: "Asia/Tokyo", locale: "en-US" })
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on("dialog", () => assert.fail("a script of somebody else's ran"))
  await comesIn(page)
  await pagesThrough(page)
  await filtersAndSorts(page)
  await seesWhatIsNew(page)
  await decides(page)
  await showsWhatCustomersWrite(page)
  await leaves(context, page)
})

/** The number of rows once there are that many. */
async function rows(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll("#rows tr").length === count, count)
}

/** A wrong password is told; the right one opens, by keyboard alone. */
async function comesIn(page) {
  await page.goto(PAGE)
  await signIn(page, { ...administrator, password: "not this one" })
  await page.getByRole("alert").filter({ hasText: "Invalid email or password" }).waitFor()
  await page.getByLabel("Password").fill("")
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.getByText("Enter both, e-mail and password.").waitFor()
  await page.getByLabel("Password").focus()
  await page.keyboard.type(administrator.password)
  await page.keyboard.press("Enter")
  await page.getByText("20 of 65 requests").waitFor()
  assert.equal(await page.evaluate(() => document.cookie), "", "no script can read the session")
  report({ step: "sign in" })
}

/** Load more until all are there. */
async function pagesThrough(page) {
  for (const count of [40, 60, 65]) {
    await page.getByRole("button", { name: "Load more" }).click()
    await rows(page, count)
  }
  assert.equal(await page.getByRole("button", { name: "Load more" }).isVisible(), false)
  const names = await page.locator("#rows button").evaluateAll((buttons) => buttons.map((button) => button.dataset.id))
  assert.equal(new Set(names).size, 65, "none twice")
  report({ step: "load more" })
}

/** The filter and the order are in the address: a reload keeps them, going back undoes them. */
async function filtersAndSorts(page) {
  await page.getByLabel("Status").selectOption("Cancelled")
  await page.getByText("20 of 22 requests").waitFor()
  assert.equal(new URL(page.url()).search, "?status=cancelled")
  const statuses = () => page.locator("#rows .badge").allTextContents()
  await page.waitForFunction(() => [...document.querySelectorAll("#rows .badge")].every((badge) => badge.textContent === "Cancelled"))
  await page.getByLabel("Sort").selectOption("Oldest first")
  await page.waitForURL("**?status=cancelled&order=created_at&order_direction=ASC")
  await page.reload()
  await page.waitForSelector("#rows tr")
  assert.equal(await page.getByLabel("Sort").inputValue(), "created_at ASC")
  const times = await page.locator("#rows td[data-label=Created] time").evaluateAll((all) => all.map((time) => time.dateTime))
  assert.deepEqual(times, [...times].sort(), "the oldest first")
  assert.ok((await statuses()).every((status) => status === "Cancelled"))
  await page.goBack()
  await page.goBack()
  await page.getByText("20 of 65 requests").waitFor()
  assert.equal(await page.getByLabel("Status").inputValue(), "")
  // Local time, and the exact one on hover.
  const time = page.locator("#rows td[data-label=Created] time").first()
  const iso = await time.getAttribute("datetime")
  const local = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short", timeZone: "Asia/Tokyo" }).format(new Date(iso))
  assert.equal(await time.textContent(), local)
  assert.ok((await time.getAttribute("title")).includes(iso))
  report({ step: "filter and sort" })
}

/** Somebody asks to be deleted meanwhile: a refresh shows it. */
async function seesWhatIsNew(page) {
  await leaving("new@example.com", "Newcomer", "Just looking")
  await page.getByRole("button", { name: "Refresh" }).click()
  await page.getByText("20 of 66 requests").waitFor()
  await page.getByRole("button", { name: "Newcomer" }).waitFor()
  report({ step: "refresh" })
}

/** Presses an action of the open request and confirms it. */
async function decide(page, action) {
  const dialog = page.getByRole("dialog")
  await dialog.getByRole("group", { name: "Actions" }).getByRole("button", { name: action }).click()
  await dialog.locator("#sure").getByRole("button", { name: action }).click()
}

/** Hold, release, cancel, delete now; each asked once more, and shown. */
async function decides(page) {
  const dialog = page.getByRole("dialog")
  await page.getByRole("button", { name: "Newcomer" }).click()
  // What was sent to them, without what it said.
  await dialog.getByText("Account deletion request", { exact: true }).waitFor()
  assert.match(await dialog.locator("#trace").textContent(), /email · delivered · 1 attempt/)
  assert.doesNotMatch(await dialog.locator("#trace").textContent(), /example\.com|\d{6}/)
  await dialog.getByRole("button", { name: "Hold" }).click()
  await dialog.getByRole("button", { name: "Back" }).click()
  assert.equal(await dialog.getByText("Held", { exact: true }).count(), 0, "Back does nothing")
  await decide(page, "Hold")
  await dialog.getByText("Held", { exact: true }).waitFor()
  assert.equal(await dialog.getByRole("button", { name: "Delete now" }).count(), 0)
  await decide(page, "Release")
  await dialog.getByRole("button", { name: "Hold" }).waitFor()
  assert.equal((await login("new@example.com")).code, "account_deletion_pending")
  await decide(page, "Cancel deletion")
  await dialog.getByText("Cancelled", { exact: true }).first().waitFor()
  assert.equal((await login("new@example.com")).status, 200)
  await page.keyboard.press("Escape")
  assert.equal(await dialog.isVisible(), false)
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Newcomer", "the focus is where it was")
  await leaving("gone@example.com", "Goner", "Now, please")
  await page.getByRole("button", { name: "Refresh" }).click()
  await page.getByRole("button", { name: "Goner" }).click()
  await decide(page, "Delete now")
  await dialog.getByText("Completed").waitFor()
  assert.equal((await login("gone@example.com")).message, "Invalid email or password")
  await page.getByRole("button", { name: "Close" }).click()
  report({ step: "decide" })
}

/** HTML, the other direction, a thousand characters without a blank, nobody's name: shown as text, and nothing breaks. */
async function showsWhatCustomersWrite(page) {
  await page.goto(`${PAGE}?order=customer_id&order_direction=ASC`)
  await page.waitForSelector("#rows tr")
  await page.getByText("<img src=x onerror=alert(1)>").first().waitFor()
  await page.getByText("<script>alert(1)</script>").first().waitFor()
  assert.equal(await page.locator("#rows script, #rows img").count(), 0)
  assert.equal(await page.getByText("أريد حذف حسابي").first().evaluate((shown) => getComputedStyle(shown).direction), "rtl")
  // Without a name: the contact; without a customer: the id.
  await page.getByRole("button", { name: "nameless@example.com" }).waitFor()
  await page.getByRole("button", { name: "cus_06" }).waitFor()
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 })
    await page.getByRole("button", { name: "Long Winded" }).click()
    const wide = await page.evaluate(() => [document.scrollingElement, document.getElementById("details")].map((it) => it.scrollWidth - it.clientWidth))
    assert.deepEqual(wide, [0, 0], `at ${width}`)
    assert.equal((await page.locator("#facts").getByText("x".repeat(1000)).textContent()).length, 1000)
    await page.keyboard.press("Escape")
  }
  await page.setViewportSize({ width: 1280, height: 900 })
  report({ step: "hostile text" })
}

/** The server away, a session that is over, signing out: each is told. */
async function leaves(context, page) {
  await context.setOffline(true)
  await page.getByRole("button", { name: "Refresh" }).click()
  await page.getByText("The server does not answer.").waitFor()
  await context.setOffline(false)
  await page.getByRole("button", { name: "Refresh" }).click()
  await page.getByText("The server does not answer.").waitFor({ state: "hidden" })
  await context.clearCookies()
  await page.getByRole("button", { name: "Refresh" }).click()
  await page.getByText("Your session has ended. Sign in again.").waitFor()
  assert.equal(await page.locator("#rows tr").count(), 0, "nothing of it stays")
  await signIn(page, administrator)
  await page.waitForSelector("#rows tr")
  await page.getByRole("button", { name: "Sign out" }).click()
  await page.getByRole("heading", { name: "Sign in" }).waitFor()
  await page.reload()
  await page.getByRole("heading", { name: "Sign in" }).waitFor()
  assert.equal((await context.cookies()).filter(({ name }) => name === "cr.sid").length, 0)
  report({ step: "sign out" })
}
