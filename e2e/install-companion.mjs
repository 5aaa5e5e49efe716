// Compiles and packs `packages/medusa-companion` against the Medusa of a project, and unpacks it there as npm would: a link to the folder
// would bring a second copy of Medusa's framework. Run in the project's folder, after `npm ci`.

import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "packages", "medusa-companion")
const building = resolve(".medusa", "companion")
const installed = resolve("node_modules", "customer-registration-medusa-companion")

for (const folder of [building, installed]) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
}
for (const name of ["src", "package.json", "tsconfig.json", "README.md", "LICENSE"]) {
  cpSync(join(source, name), join(building, name), { recursive: true })
}
execFileSync("npm", ["pack", "--silent"], { cwd: building, stdio: "inherit" })
const [tarball] = readdirSync(building).filter((name) => name.endsWith(".tgz"))
execFileSync("tar", ["-xzf", join(building, tarball), "--strip-components=1", "-C", installed], { stdio: "inherit" })
