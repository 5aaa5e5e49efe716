// A better-auth 1.7.25 for `cargo xtask bench`: e-mail and password, codes by e-mail, and nothing that limits or remembers.
//
// Reads DATABASE_URL (postgres:// or a path of a SQLite file) and PORT. Besides better-auth's own routes under /api/auth there are
// GET /health, and POST /fill?first=1&last=9, which makes users n1@shop.test to n9@shop.test whose e-mail is not verified.
// Every code is 123456, so that whoever measures need not read mail; it is stored and checked as any other.

import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { emailOTP } from "better-auth/plugins";

const url = process.env.DATABASE_URL;
const port = Number(process.env.PORT);

const auth = betterAuth({
  baseURL: `http://localhost:${port}`,
  secret: "a secret of the benchmark alone, 40 bytes",
  database: await open(),
  emailAndPassword: { enabled: true },
  plugins: [
    emailOTP({
      generateOTP: () => "123456",
      sendVerificationOTP: async () => {},
    }),
  ],
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
});

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const handle = toNodeHandler(auth);

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (pathname === "/health") {
    response.end("OK");
  } else if (pathname === "/fill") {
    await fill(Number(searchParams.get("first")), Number(searchParams.get("last")));
    response.end("OK");
  } else {
    handle(request, response);
  }
}).listen(port, "127.0.0.1");

/** The database as better-auth takes it, with the durability that its server has by default. */
async function open() {
  if (url.startsWith("postgres")) {
    const { default: pg } = await import("pg");
    return new pg.Pool({ connectionString: url });
  }
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(url);
  database.exec("pragma journal_mode = wal; pragma synchronous = full");
  return database;
}

/** Users with these numbers. */
async function fill(first, last) {
  const { internalAdapter } = await auth.$context;
  for (let number = first; number <= last; number += 1) {
    await internalAdapter.createUser({ email: `n${number}@shop.test`, name: "Ann", emailVerified: false });
  }
  // As autovacuum would have within a minute, which leaves alone what is empty.
  if (url.startsWith("postgres")) await auth.options.database.query('analyze "user"');
}
