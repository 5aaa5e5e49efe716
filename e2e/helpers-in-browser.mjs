// The npm package's helpers in a page of another origin than the server's, as a storefront has them: bundled, in a real browser,
// behind CORS; by plain fetch and through Medusa's JS SDK.

import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"

import { build } from "esbuild"

import { withBrowser } from "./browser.mjs"
import { baseUrl, messageTo, publishableKey, report } from "./server.mjs"

const [email, phone] = [process.env.EMAIL, process.env.PHONE]

const pages = await servePage(await bundle())
try {
  await withBrowser(async (browser) => {
    const page = await browser.newPage()
    const complaints = []
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()))
    page.on("pageerror", (error) => complaints.push(String(error)))
    await page.goto(`http://127.0.0.1:${pages.address().port}/`)
    await resets(page, "fetch", "email", email, "first new password 1")
    await resets(page, "sdk", "phone", phone, "second new password 2")
    // A refusal is the one thing that the browser itself complains about.
    assert.deepEqual(complaints.filter((text) => !text.includes("401 (Unauthorized)")), [])
  })
} finally {
  pages.close()
  pages.closeAllConnections()
}

/** The page's script, as one file. */
async function bundle() {
  const entry = fileURLToPath(new URL("storefront.js", import.meta.url))
  const options = { entryPoints: [entry], bundle: true, write: false, format: "iife", logLevel: "silent" }
  const { outputFiles } = await build(options)
  return outputFiles[0].text
}

/** Serves a page with the script at an origin of its own. */
async function servePage(script) {
  const server = createServer((request, response) => {
    const [type, body] =
      request.url === "/storefront.js"
        ? ["text/javascript", script]
        : ["text/html", `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Shop</title><script src="/storefront.js"></script></html>`]
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}

/** Asks for the link on the page, takes the token out of the message, sets the password on the page; the token counts once. */
async function resets(page, mode, key, value, password) {
  const shop = { mode, baseUrl, publishableKey }
  const call = (name, input) => page.evaluate(([name, shop, input]) => storefront[name](shop, input), [name, shop, input])
  assert.deepEqual(await call("request", { email_or_phone: value }), { answer: undefined })
  const { text } = await messageTo(key === "email" ? "email" : "sms", value)
  const token = /token=([\w.-]+)/.exec(text)[1]
  const input = { [key]: value, password, token }
  const answer = { message: "Password reset successfully", success: true }
  assert.deepEqual(await call("boundComplete", input), { answer })
  const { error } = await call("complete", input)
  assert.deepEqual([error.status, error.type, error.message], [401, "unauthorized", "Invalid token"])
  const unsent = await call("boundRequest", {})
  assert.deepEqual([unsent.error.status, unsent.error.type], [400, "invalid_data"])
  report({ mode, step: "reset in a page" })
}
