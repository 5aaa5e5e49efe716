// The inbox page: reads inbox.json every two seconds while it can be seen, and shows one message.
//
// Every text comes into the page as text. A message's HTML goes into a sandboxed frame, which runs no script.

const REFRESH_MILLISECONDS = 2000;

const find = (id) => document.getElementById(id);
const page = {
  state: find("state"),
  clear: find("clear"),
  list: find("messages"),
  empty: find("empty"),
  message: find("message"),
  subject: find("subject"),
  to: find("to"),
  channel: find("channel"),
  time: find("time"),
  code: find("code"),
  digits: find("digits"),
  copy: find("copy"),
  views: find("views"),
  asHtml: find("as-html"),
  asText: find("as-text"),
  html: find("html"),
  text: find("text"),
  back: find("back"),
};

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

let messages = [];
let shown = null;
let prefersText = false;
let refreshing = false;

/** What stands for a message in the list: its subject, or how it begins. */
function title(message) {
  return message.subject || message.text.slice(0, 120);
}

/** An element with a class and a text. */
function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** One line of the list. */
function line(message) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = message.id;
  button.setAttribute("aria-current", String(message.id === shown));
  const what = element("span", "what", "");
  what.append(element("span", "tag", message.channel), title(message));
  const when = element("time", "when", clock.format(new Date(message.created_at)));
  when.dateTime = message.created_at;
  button.append(element("span", "to", message.to), when, what);
  button.addEventListener("click", () => show(message.id, true));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

/** Draws the list anew and leaves the focus where it was. */
function drawList() {
  const focused = page.list.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  page.list.replaceChildren(...messages.map(line));
  if (focused) {
    page.list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
  }
  page.empty.hidden = messages.length > 0;
  page.clear.disabled = messages.length === 0;
}

/** A mail's HTML whose links open in a new tab: the frame itself must not leave the message. */
function framed(html) {
  const base = '<base target="_blank">';
  return /<head[^>]*>/i.test(html) ? html.replace(/<head[^>]*>/i, (head) => head + base) : base + html;
}

/** Shows HTML or text, as far as the message has both. */
function drawView(message) {
  const asText = prefersText || !message.html;
  page.views.hidden = !message.html;
  page.html.hidden = asText;
  page.text.hidden = !asText;
  page.asHtml.setAttribute("aria-pressed", String(!asText));
  page.asText.setAttribute("aria-pressed", String(asText));
}

/** Shows a message; the focus goes there when the reader chose it. One that is shown already stays as it is, frame and all. */
function show(id, chosen) {
  if (shown && id === shown) {
    if (chosen) {
      page.message.focus();
    }
    return;
  }
  const message = messages.find((candidate) => candidate.id === id);
  shown = message ? message.id : null;
  page.message.hidden = !message;
  document.body.classList.toggle("reading", Boolean(message));
  for (const button of page.list.querySelectorAll("button")) {
    button.setAttribute("aria-current", String(button.dataset.id === shown));
  }
  if (!message) {
    return;
  }
  page.subject.textContent = message.subject || "Text message";
  page.to.textContent = message.to;
  page.channel.textContent = message.channel;
  page.time.textContent = calendar.format(new Date(message.created_at));
  page.time.dateTime = message.created_at;
  page.code.hidden = !message.code;
  page.digits.textContent = message.code || "";
  page.copy.textContent = "Copy code";
  page.text.textContent = message.text;
  page.html.srcdoc = message.html ? framed(message.html) : "";
  drawView(message);
  if (chosen) {
    page.message.focus();
  }
}

/** Tells how it stands; a screen reader hears it when it changes. */
function tell(text) {
  if (page.state.textContent !== text) {
    page.state.textContent = text;
  }
}

/** Reads the messages; draws only when they have changed. */
async function refresh() {
  if (refreshing || document.hidden) {
    return;
  }
  refreshing = true;
  try {
    const response = await fetch("inbox.json", { cache: "no-store" });
    if (!response.ok) {
      throw new Error(`answered ${response.status}`);
    }
    const before = messages.map((message) => message.id).join();
    messages = (await response.json()).messages;
    if (messages.map((message) => message.id).join() !== before) {
      drawList();
      if (shown && !messages.some((message) => message.id === shown)) {
        show(null, false);
      }
    }
    tell(messages.length === 1 ? "1 message" : `${messages.length} messages`);
  } catch {
    tell("The server does not answer; trying again.");
  } finally {
    refreshing = false;
  }
}

page.back.addEventListener("click", () => {
  const left = shown;
  show(null, false);
  page.list.querySelector(`[data-id="${CSS.escape(left ?? "")}"]`)?.focus();
});

for (const [button, asText] of [[page.asHtml, false], [page.asText, true]]) {
  button.addEventListener("click", () => {
    prefersText = asText;
    const message = messages.find((candidate) => candidate.id === shown);
    if (message) {
      drawView(message);
    }
  });
}

page.copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(page.digits.textContent);
    page.copy.textContent = "Copied";
  } catch {
    // Without the permission the reader copies by hand: select it.
    getSelection().selectAllChildren(page.digits);
    page.copy.textContent = "Selected";
  }
});

page.clear.addEventListener("click", async () => {
  try {
    await fetch("inbox.json", { method: "DELETE" });
  } catch {
    // The refresh below tells that the server does not answer.
  }
  show(null, false);
  await refresh();
});

document.addEventListener("visibilitychange", refresh);
setInterval(refresh, REFRESH_MILLISECONDS);
await refresh();
if (messages.length > 0 && matchMedia("(min-width: 48.01rem)").matches) {
  show(messages[0].id, false);
}
