// A Medusa as a shop has it, with the dashboard: what changes from test to test comes by the environment.

import { defineConfig } from "@medusajs/framework/utils"

export default defineConfig({
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { ssl: false, connection: { ssl: false } },
    http: {
      storeCors: "http://localhost:8000",
      adminCors: "http://localhost:7001",
      authCors: "http://localhost:8000,http://localhost:7001",
      jwtSecret: process.env.JWT_SECRET,
      cookieSecret: process.env.COOKIE_SECRET,
    },
  },
  plugins: [
    {
      resolve: "customer-registration-medusa-companion",
      options: {
        // The second is the one that the tests sign with.
        secrets: ["whsec_YSBzZWNyZXQgdGhhdCBpcyBvbiBpdHMgd2F5IG91dA==", "whsec_YSBzZWNyZXQgYmV0d2VlbiBib3RoIG9mIHRoZW0="],
        templates: { email: { password_reset: "d-reset" } },
      },
    },
  ],
  modules: [
    {
      resolve: "@medusajs/medusa/notification",
      options: {
        providers: [
          { resolve: "@medusajs/medusa/notification-local", id: "local", options: { channels: ["feed"] } },
          { resolve: "./src/modules/observed-notification", id: "observed", options: { channels: ["email"] } },
        ],
      },
    },
  ],
  admin: { backendUrl: "/" },
})
