// Account Deletion Requests: signs an administrator in, lists the requests, and opens one in a drawer.
//
// Every text of a customer comes into the page as text, never as HTML. Filter and order live in the page's address. The session
// is a cookie that no script can read; an answer 401 leads back to the sign-in.

const PAGE_SIZE = 20;
const PATH = "admin/account-deletion-requests";
const root = new URL(document.querySelector('meta[name="api"]').content, location.href);

const find = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const precise = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** What the rows show, and how many there are in all. */
let requests = [];
let count = 0;
/** The request in the drawer. */
let opened = null;
/** Counts the lists that were asked for: the answer to an older one is dropped. */
let asked = 0;

/** Somebody has to sign in first. */
class SignedOut extends Error {}

/** Calls the API with the session cookie. Throws an error whose message can be shown. */
async function call(method, path, body, bearer) {
  const headers = { accept: "application/json" };
  if (body) headers["content-type"] = "application/json";
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  let response;
  try {
    response = await fetch(new URL(path, root), {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
    });
  } catch {
    throw new Error("The server does not answer. Try again in a moment.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const message = answer.message || `The server answered ${response.status}.`;
  throw response.status === 401 ? new SignedOut(message) : new Error(message);
}

/** An element with a class and children, which may be texts. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** A text that may run in either direction. */
function isolated(text, className) {
  const made = element("div", className, text);
  made.dir = "auto";
  return made;
}

/** A moment in the reader's time; the exact one on hover. */
function moment(iso) {
  if (!iso) return element("span", "none", "–");
  const date = new Date(iso);
  const made = element("time", "", clock.format(date));
  made.dateTime = iso;
  made.title = `${precise.format(date)} (${iso})`;
  return made;
}

/** The status, in the colours that Medusa's admin gives such things. */
function badges(request) {
  const made = element("div", "", element("span", `badge ${request.status}`, sentence(request.status)));
  if (request.held_at && request.status === "confirmed") made.append(element("span", "badge", "Held"));
  return made;
}

/** `contact_change_notice` as `Contact change notice`. */
function sentence(word) {
  const words = word.replaceAll(/[_.]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a customer is called: name, else contact, else id. */
function nameOf(request) {
  const { first_name, last_name, email, phone } = request.customer ?? {};
  return [first_name, last_name].filter(Boolean).join(" ").trim() || email || phone || request.customer_id;
}

/** What is told below the name. */
function secondOf(request) {
  const { email, phone } = request.customer ?? {};
  return [email, phone, request.customer_id].find((text) => text && text !== nameOf(request)) ?? "";
}

/** One cell; its label shows on narrow screens, where a row is a card. */
function cell(label, content) {
  const made = element("td", "", content);
  made.dataset.label = label;
  return made;
}

/** One row. */
function row(request) {
  const open = element("button", "", nameOf(request));
  open.type = "button";
  open.dir = "auto";
  open.dataset.id = request.id;
  open.setAttribute("aria-haspopup", "dialog");
  open.addEventListener("click", () => openDetails(request));
  const customer = cell("Customer", open);
  customer.className = "customer";
  const second = secondOf(request);
  if (second) customer.append(isolated(second, "second"));
  const reason = request.reason ? isolated(request.reason, "reason") : element("span", "none", "–");
  const cancelled = cell("Cancelled", moment(request.cancelled_at));
  if (!request.cancelled_at) cancelled.className = "empty-cell";
  return element(
    "tr",
    "",
    customer,
    cell("Reason", reason),
    cell("Status", badges(request)),
    cell("Scheduled", moment(request.deletion_scheduled_at)),
    cell("Created", moment(request.created_at)),
    cancelled,
  );
}

/** Filter and order, as the page's address has them. */
function chosen() {
  const query = new URLSearchParams(location.search);
  const among = (select, value) => ([...select.options].some((option) => option.value === value) ? value : select.options[0].value);
  return {
    status: among(find("status"), query.get("status") ?? ""),
    order: among(find("order"), `${query.get("order") ?? "created_at"} ${query.get("order_direction") ?? "DESC"}`),
  };
}

/** Writes filter and order into the address. */
function choose() {
  const query = new URLSearchParams();
  const [order, direction] = find("order").value.split(" ");
  if (find("status").value) query.set("status", find("status").value);
  if (find("order").selectedIndex > 0) {
    query.set("order", order);
    query.set("order_direction", direction);
  }
  history.pushState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  list("first");
}

/** Draws the rows and what stands around them. */
function draw() {
  find("rows").replaceChildren(...requests.map(row));
  const { status } = chosen();
  find("count").textContent =
    requests.length < count ? `${requests.length} of ${count} requests` : count === 1 ? "1 request" : `${count} requests`;
  find("empty").hidden = requests.length > 0;
  find("empty").textContent = status ? `No ${status} requests.` : "Nobody has asked to be deleted.";
  find("more").hidden = requests.length >= count;
}

/** Tells what went wrong above the table, or takes it away. */
function tellList(message) {
  find("list-error").textContent = message;
  find("list-error").hidden = !message;
}

/** Reads the first page, as much as is shown `"again"`, or the page `"after"` that. */
async function list(what) {
  const number = ++asked;
  const further = what === "after";
  const { status, order } = chosen();
  find("status").value = status;
  find("order").value = order;
  const [column, direction] = order.split(" ");
  const query = new URLSearchParams({ order: column, order_direction: direction, fields: "*customer" });
  if (status) query.set("status", status);
  const limit = what === "again" ? Math.min(Math.max(requests.length, PAGE_SIZE), 1000) : PAGE_SIZE;
  query.set("limit", String(limit));
  query.set("offset", String(further ? requests.length : 0));
  find("frame").setAttribute("aria-busy", "true");
  if (requests.length === 0) find("count").textContent = "Loading…";
  try {
    const page = await call("GET", `${PATH}?${query}`);
    if (number !== asked) return;
    // A request made meanwhile moves the pages: what is there already is not shown twice.
    const known = new Set(further ? requests.map((request) => request.id) : []);
    requests = [...(further ? requests : []), ...page.requests.filter((request) => !known.has(request.id))];
    count = page.count;
    tellList("");
    showRequests();
    draw();
  } catch (error) {
    if (number !== asked) return;
    if (error instanceof SignedOut) return showSignIn(find("requests").hidden ? "" : "Your session has ended. Sign in again.");
    showRequests();
    if (requests.length === 0) find("count").textContent = "";
    tellList(error.message);
  } finally {
    if (number === asked) find("frame").removeAttribute("aria-busy");
  }
}

/** Shows the list in the place of the sign-in. */
function showRequests() {
  const wasSignIn = !find("sign-in").hidden;
  find("sign-in").hidden = true;
  find("requests").hidden = false;
  find("sign-out").hidden = false;
  if (wasSignIn) find("status").focus();
}

/** Shows the sign-in in the place of the list, of which nothing stays in the page. */
function showSignIn(message) {
  find("details").close();
  requests = [];
  count = 0;
  find("rows").replaceChildren();
  find("requests").hidden = true;
  find("sign-out").hidden = true;
  find("sign-in").hidden = false;
  find("sign-in-error").textContent = message;
  find("password").value = "";
  (find("email").value ? find("password") : find("email")).focus();
}

find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [email, password] = [find("email").value.trim(), find("password").value];
  const error = find("sign-in-error");
  error.textContent = "";
  if (!email || !password) {
    error.textContent = "Enter both, e-mail and password.";
    return;
  }
  find("sign-in-button").disabled = true;
  try {
    const { token } = await call("POST", "auth/user/emailpass", { email, password });
    if (!token) throw new Error("This account cannot sign in here; use the dashboard’s sign-in.");
    await call("POST", "auth/session", undefined, token);
    await list("first");
    if (!find("sign-in").hidden) {
      throw new Error("The browser got no session. In production this page has to be opened by https.");
    }
  } catch (refused) {
    error.textContent = refused.message;
    find("password").select();
  } finally {
    find("sign-in-button").disabled = false;
  }
});

find("sign-out").addEventListener("click", async () => {
  try {
    await call("DELETE", "auth/session");
  } catch (error) {
    if (!(error instanceof SignedOut)) return tellList(error.message);
  }
  showSignIn("");
});

find("status").addEventListener("change", choose);
find("order").addEventListener("change", choose);
find("refresh").addEventListener("click", () => list("again"));
find("more").addEventListener("click", () => list("after"));
addEventListener("popstate", () => list("first"));

/** What an administrator can do to a request in its state: path, label, question, whether it cannot be undone. */
function deedsFor(request) {
  const name = nameOf(request);
  const cancel = ["cancel", "Cancel deletion", `${name} keeps the account and can log in again.`];
  const hold = ["hold", "Hold", `The account of ${name} is not deleted until the request is released. It stays closed meanwhile.`];
  const release = ["release", "Release", `The account of ${name} is deleted when it is due. If that is past, at the next run.`];
  const run = ["run", "Delete now", `The account of ${name} is deleted at once. This cannot be undone.`, true];
  if (request.status === "pending") return [cancel];
  if (request.status !== "confirmed") return [];
  return request.held_at ? [release, cancel] : [hold, cancel, run];
}

/** Opens the drawer. */
function openDetails(request) {
  drawDetails(request);
  find("details").showModal();
  readTrace(request);
}

/** Everything about one request. */
function drawDetails(request) {
  opened = request;
  find("details-title").textContent = nameOf(request);
  find("details-title").dir = "auto";
  const { email, phone } = request.customer ?? {};
  const facts = [
    ["Status", badges(request)],
    ["E-mail", email && isolated(email)],
    ["Phone", phone && isolated(phone)],
    ["Reason", request.reason && isolated(request.reason)],
    ["Scheduled", moment(request.deletion_scheduled_at)],
    ["Created", moment(request.created_at)],
    ["Held since", request.held_at && request.status === "confirmed" && moment(request.held_at)],
    ["Cancelled", request.cancelled_at && moment(request.cancelled_at)],
    ["Customer", isolated(request.customer_id)],
    ["Request", isolated(request.id)],
  ].filter(([, content]) => content);
  find("facts").replaceChildren(...facts.flatMap(([label, content]) => [element("dt", "", label), element("dd", "", content)]));
  find("deed-error").textContent = "";
  find("sure").hidden = true;
  find("deeds").replaceChildren(
    ...deedsFor(request).map((deed) => {
      const button = element("button", deed[3] ? "danger" : "", deed[1]);
      button.type = "button";
      button.addEventListener("click", () => askWhether(request, deed, button));
      return button;
    }),
  );
  find("deeds").hidden = find("deeds").childElementCount === 0;
}

/** Asks once more, then does it. */
function askWhether(request, [path, label, question, isFinal], button) {
  find("sure-question").textContent = question;
  find("sure-yes").textContent = label;
  find("sure-yes").className = isFinal ? "danger" : "primary";
  find("sure-yes").onclick = () => decide(request, path);
  find("sure-no").onclick = () => {
    find("sure").hidden = true;
    find("deeds").hidden = false;
    button.focus();
  };
  find("deeds").hidden = true;
  find("sure").hidden = false;
  find("sure-no").focus();
}

/** Does it, and shows what became of the request. */
async function decide(request, path) {
  find("sure-yes").disabled = true;
  try {
    await call("POST", `${PATH}/${encodeURIComponent(request.id)}/${path}`, {});
    await list("again");
    const now = requests.find((candidate) => candidate.id === request.id);
    if (!now) return find("details").close();
    drawDetails(now);
    await readTrace(now);
    find("close").focus();
  } catch (error) {
    if (error instanceof SignedOut) return showSignIn("Your session has ended. Sign in again.");
    await list("again");
    drawDetails(requests.find((candidate) => candidate.id === request.id) ?? request);
    find("deed-error").textContent = error.message;
  } finally {
    find("sure-yes").disabled = false;
  }
}

/** How the messages to the customer fared. */
async function readTrace(request) {
  find("trace").replaceChildren();
  find("no-trace").textContent = "Loading…";
  try {
    const { messages } = await call("GET", `${PATH}/${encodeURIComponent(request.id)}/messages`);
    if (opened?.id !== request.id) return;
    find("trace").replaceChildren(...messages.map(traced));
    find("no-trace").textContent = messages.length > 0 ? "" : "None is kept.";
  } catch (error) {
    if (error instanceof SignedOut) return showSignIn("Your session has ended. Sign in again.");
    find("no-trace").textContent = error.message;
  }
}

/** One message: what for, by which channel, how far. */
function traced(message) {
  const tries = message.attempts === 1 ? "1 attempt" : `${message.attempts} attempts`;
  const how = [message.channel, message.status, tries, message.last_error].filter(Boolean).join(" · ");
  const when = moment(message.delivered_at ?? message.created_at);
  return element("li", "", element("span", "what", sentence(message.trigger_type)), when, element("span", "how", how));
}

find("close").addEventListener("click", () => find("details").close());
find("details").addEventListener("click", (event) => event.target === find("details") && find("details").close());
find("details").addEventListener("close", () => {
  const id = opened?.id;
  opened = null;
  find("rows").querySelector(`[data-id="${CSS.escape(id ?? "")}"]`)?.focus();
});

await list("first");
