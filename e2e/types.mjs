// Compiles what uses the helpers' types, with the TypeScript compiler as a storefront runs it: for a bundler, and for Node.

import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

import { report } from "./report.mjs"

const compiler = fileURLToPath(new URL("node_modules/typescript/bin/tsc", import.meta.url))

for (const project of ["types/tsconfig.json", "types/tsconfig.node.json"]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, "--project", project], { encoding: "utf8" })
  if (status !== 0) throw new Error(`tsc --project ${project} ended with ${status}\n${stdout}${stderr}`)
  report({ project, step: "compiled" })
}
