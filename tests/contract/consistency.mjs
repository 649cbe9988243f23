// openapi-fetch with the middleware of clients/typescript, and a service that tells these tokens; prints what was sent.
import createClient from "openapi-fetch";
import { consistency } from "../../clients/typescript/consistency.js";

const tokens = ["0002bb", "0001aa"];
const sent = [];
const client = createClient({
  baseUrl: "http://payments.example",
  fetch: async (request) => {
    sent.push(request.headers.get("Consistency-Token"));
    const headers = request.method === "POST" ? { "Consistency-Token": tokens.shift() } : {};
    return new Response("{}", { headers: { "Content-Type": "application/json", ...headers } });
  },
});
client.use(consistency());
await client.GET("/v1/payments");
await client.POST("/v1/charges", { body: {} });
await client.POST("/v1/charges", { body: {} });
await client.GET("/v1/payments");
console.log(JSON.stringify(sent));
