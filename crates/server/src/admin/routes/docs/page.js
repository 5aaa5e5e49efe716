// The API reference, drawn from openapi.json: each route with what it takes, answers and refuses. Everything comes into the page
// as text.

const root = new URL(document.querySelector('meta[name="api"]').content, location.href);
const find = (id) => document.getElementById(id);
const state = find("state");

/** An element with children; `attributes` may hold a class, an id, an address. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** A text in which what stands between backticks is code. */
function words(text) {
  return text.split("`").map((part, at) => (at % 2 === 1 ? element("code", {}, part) : part));
}

/** What a reference stands for, or the thing itself. */
function resolved(api, thing) {
  const [, kind, name] = thing?.$ref?.match(/^#\/components\/(\w+)\/(\w+)$/) ?? [];
  return name ? api.components[kind][name] : (thing ?? {});
}

/** What kind of value a schema asks for, in a few words. */
function kind(api, schema) {
  const plain = resolved(api, schema);
  if ("const" in plain) return JSON.stringify(plain.const);
  if (plain.enum) return plain.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (plain.type === "array") return `array of ${kind(api, plain.items)}`;
  const types = [plain.type ?? "anything"].flat().join(" or ");
  const most = plain.maxLength ? `, at most ${plain.maxLength} characters` : "";
  const range = plain.maximum === undefined ? "" : `, ${plain.minimum} to ${plain.maximum}`;
  return types + (plain.format ? ` (${plain.format})` : "") + most + range;
}

/** The properties of an object, one level deep for each that is an object itself. */
function properties(api, schema) {
  const plain = resolved(api, schema);
  const list = element("dl", {});
  for (const [name, property] of Object.entries(plain.properties ?? {})) {
    const required = plain.required?.includes(name);
    const type = element("span", { class: "type" }, kind(api, property) + (required ? "" : ", may be missing"));
    const described = resolved(api, property).description;
    const told = element("dd", {}, type, ...(described ? [" ", ...words(described)] : []));
    const inner = resolved(api, property).type === "array" ? resolved(api, property).items : property;
    if (resolved(api, inner).properties && name !== "customer") told.append(properties(api, inner));
    list.append(element("dt", {}, name), told);
  }
  return list;
}

/** A value as it would be sent. */
function sample(value) {
  return element("pre", { tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
}

/** A path that may be broken after its slashes. */
function broken(path) {
  return path.split(/(?<=\/)/).flatMap((part) => [part, document.createElement("wbr")]);
}

/** Who may call. */
function gate(operation) {
  const names = operation.security.flatMap((way) => Object.keys(way));
  if (names.length === 0) return "Everybody may call it.";
  const told = { bearer: "a bearer token", session: "the session cookie", secretKey: "a secret API key by Basic" };
  const optional = operation.security.some((way) => Object.keys(way).length === 0);
  return `${optional ? "Everybody may call it, also with" : "Needs"} ${names.map((name) => told[name]).join(" or ")}.`;
}

/** One answer: open for a good one, folded for a refusal. */
function answer(api, status, response) {
  const [[type, content]] = Object.entries(response.content);
  const title = element("summary", {}, element("b", {}, status), ` ${response.description}`);
  if (!content.examples) {
    const inside = [title];
    if (resolved(api, content.schema).properties) inside.push(properties(api, content.schema));
    inside.push(sample(type === "application/json" ? content.example : String(content.example)));
    return element("details", { open: "" }, ...inside);
  }
  const bodies = Object.values(content.examples).map(({ value }) => element("p", { class: "sentence" }, element("code", {}, JSON.stringify(value))));
  return element("details", {}, title, ...bodies);
}

/** One route. */
function draw(api, method, path, operation) {
  const heading = element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), element("code", {}, ...broken(path)));
  const made = element("section", { class: "operation", id: operation.operationId, "aria-label": `${method.toUpperCase()} ${path}` }, heading);
  made.append(element("p", {}, element("strong", {}, `${operation.summary}.`), " ", ...words(operation.description ?? "")));
  made.append(element("p", { class: "quiet" }, gate(operation)));
  if (operation.parameters) {
    const list = element("dl", {});
    for (const parameter of operation.parameters) {
      const type = element("span", { class: "type" }, `${parameter.in}, ${kind(api, parameter.schema)}`);
      list.append(element("dt", {}, parameter.name), element("dd", {}, type, " ", ...words(parameter.description)));
    }
    made.append(element("h4", {}, "Parameters"), list);
  }
  if (operation.requestBody) {
    const { schema, example } = operation.requestBody.content["application/json"];
    made.append(element("h4", {}, operation.requestBody.required ? "Body" : "Body, may be left out"), properties(api, schema), sample(example));
  }
  made.append(element("h4", {}, "Answers"));
  for (const [status, response] of Object.entries(operation.responses)) made.append(answer(api, status, resolved(api, response)));
  return made;
}

/** Every operation, in the order of the document's tags. */
function operations(api) {
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
  return api.tags.map((tag) => ({ tag, routes: all.filter(({ operation }) => operation.tags.includes(tag.name)) }));
}

/** Draws the list of routes and the routes. */
function show(api) {
  find("title").textContent = `API reference ${api.info.version}`;
  const parts = [];
  for (const { tag, routes } of operations(api)) {
    const links = routes.map(({ method, path, operation }) => {
      const link = element("a", { href: `#${operation.operationId}` }, element("span", { class: `method ${method}` }, method.toUpperCase()), element("span", {}, ...broken(path)));
      return element("li", { "data-words": `${method} ${path} ${operation.summary}`.toLowerCase() }, link);
    });
    find("index").append(element("h2", {}, tag.name), element("ul", {}, ...links));
    parts.push(element("h2", {}, tag.name), element("p", { class: "quiet" }, tag.description));
    parts.push(...routes.map(({ method, path, operation }) => draw(api, method, path, operation)));
  }
  find("routes").replaceChildren(...parts);
  // The browser looked for the anchor before there was one.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

find("search").addEventListener("input", () => {
  const wanted = find("search").value.trim().toLowerCase();
  document.body.classList.toggle("finding", wanted !== "");
  for (const item of find("index").querySelectorAll("li")) {
    item.hidden = !item.dataset.words.includes(wanted);
    const section = document.getElementById(item.firstChild.hash.slice(1));
    section.hidden = item.hidden;
  }
});

try {
  const response = await fetch(new URL("openapi.json", root));
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  show(await response.json());
} catch (error) {
  state.textContent = `The reference cannot be read. ${error.message}`;
}
