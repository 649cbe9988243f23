// Middleware for openapi-fetch: the newest token of the answers goes with each request, so that reads have what was written.
const HEADER = "Consistency-Token";

export function consistency() {
  let newest = "";
  return {
    onRequest({ request }) {
      if (newest !== "" && !request.headers.has(HEADER)) request.headers.set(HEADER, newest);
    },
    onResponse({ response }) {
      const token = response.headers.get(HEADER) ?? "";
      if (token > newest) newest = token;
    },
  };
}
