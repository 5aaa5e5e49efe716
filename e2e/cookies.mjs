// What a browser does with cookies and Node's fetch does not: keeps those that one server sets, and sends them back.

/** Wraps fetch so that it keeps cookies; `cookies` is the jar, name to value. Paths and domains are not told apart: there is one server. */
export function withCookies(fetch) {
  const cookies = new Map()
  const wrapped = async (input, init = {}) => {
    const headers = new Headers(init.headers)
    if (cookies.size > 0 && init.credentials !== "omit") headers.set("cookie", header(cookies))
    const response = await fetch(input, { ...init, headers })
    for (const line of response.headers.getSetCookie()) keep(cookies, line)
    return response
  }
  return { fetch: wrapped, cookies }
}

/** The `Cookie` header (RFC 6265, 4.2). */
function header(cookies) {
  return [...cookies].map(([name, value]) => `${name}=${value}`).join("; ")
}

/** Takes in one `Set-Cookie` line: a date that has gone by, or `Max-Age=0`, drops the cookie (RFC 6265, 5.3). */
function keep(cookies, line) {
  const [pair, ...attributes] = line.split(";").map((part) => part.trim())
  const name = pair.slice(0, pair.indexOf("="))
  const value = pair.slice(pair.indexOf("=") + 1)
  if (attributes.some(hasEnded)) cookies.delete(name)
  else cookies.set(name, value)
}

/** Whether an attribute says that the cookie is over. */
function hasEnded(attribute) {
  const [name, value = ""] = attribute.split("=")
  if (/^expires$/i.test(name)) return Date.parse(value) <= Date.now()
  return /^max-age$/i.test(name) && Number(value) <= 0
}
