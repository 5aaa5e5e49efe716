// Where a test listens, if one does.

/** Posts JSON to `OBSERVER_URL`. Throws when the test answers with a failure. */
export async function observe(path: string, body: unknown): Promise<void> {
  const url = process.env.OBSERVER_URL
  if (!url) {
    return
  }
  const answer = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) })
  if (!answer.ok) {
    throw new Error(`The observer answered ${answer.status} to ${JSON.stringify(body)}`)
  }
}
