// The route reads its body itself: Medusa 2.11.2 answers JSON that does not parse with 500, before the route is asked.

import { defineMiddlewares } from "@medusajs/framework/http"

export default defineMiddlewares({
  routes: [{ matcher: "/hooks/customer-registration", methods: ["POST"], bodyParser: false }],
})
