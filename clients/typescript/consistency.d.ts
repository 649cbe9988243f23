/** Middleware for openapi-fetch: the newest token of the answers goes with each request, so that reads have what was written. */
export declare function consistency(): {
  onRequest(options: { request: Request }): undefined;
  onResponse(options: { response: Response }): undefined;
};
