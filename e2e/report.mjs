// The JSON lines that the Rust test reads.

/** One line of JSON for the reader of this process's output. */
export function report(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
