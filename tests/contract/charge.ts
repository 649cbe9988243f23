// The README's charge with types generated from the document: accepted, then polled until it is final.
import createClient from "openapi-fetch";
import type { Payment, paths } from "payments-types";
import type { consistency } from "payments-types/consistency";

declare const process: { env: Record<string, string | undefined> };

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

const client = createClient<paths, "application/json" | "application/problem+json">({
  baseUrl: variable("URL"),
  headers: { Authorization: `Bearer ${variable("SHOP")}` },
});

const accepted = await client.POST("/v1/charges", {
  params: { header: { "Idempotency-Key": variable("KEY") } },
  body: {
    wallet: variable("WALLET"),
    amount: "12.50",
    currency: "EUR",
    summary: "Coffee beans",
    reference: variable("KEY"),
  },
});
if (accepted.data === undefined) throw new Error(accepted.error.code);

let payment: Payment = accepted.data;
while (payment.state === "INITIATED") {
  const polled = await client.GET("/v1/payments/{id}", {
    params: { path: { id: payment.id }, header: { Prefer: "wait=5" } },
  });
  if (polled.data === undefined) throw new Error(polled.error.code);
  payment = polled.data;
}

const listed = await client.GET("/v1/payments", {
  params: { query: { limit: 1, currency: "EUR", amount: { gte: "12.00", lt: "13.00" } } },
});
if (listed.data === undefined) throw new Error(listed.error.code);

const ids = listed.data.data.map((charge) => charge.id);
console.log(JSON.stringify({ id: payment.id, state: payment.state, amount: payment.amount, listed: ids }));

export function consistent(middleware: ReturnType<typeof consistency>): void {
  client.use(middleware);
}
