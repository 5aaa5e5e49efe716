// A real Chromium for the scripts that need one: the system's, or else the one that Playwright itself installed.

import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

import { chromium } from "playwright-core"

/** The names that Debian, Ubuntu and Google give the program. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"]

/** The system's Chromium, or `undefined`. `CHROMIUM` names another one. */
function systemChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM
  const folders = (process.env.PATH ?? "").split(delimiter)
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isProgram)
}

/** Whether this file is there and may be run. */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Runs `steps(browser)` and closes the browser whatever comes of it. Root and containers have no sandbox to offer. */
export async function withBrowser(steps) {
  const browser = await chromium.launch({ executablePath: systemChromium(), args: ["--no-sandbox", "--disable-dev-shm-usage"] })
  try {
    return await steps(browser)
  } finally {
    await browser.close()
  }
}
