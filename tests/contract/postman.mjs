// Writes the Postman collection of the OpenAPI document: `node postman.mjs COLLECTION`. Without ids drawn at random, so that
// the same document gives the same file, and without saved answers, which the document itself has.
import { readFileSync, writeFileSync } from "node:fs";
import { convert } from "openapi-to-postmanv2";

const VARIABLES = [
  { key: "baseUrl", value: "http://127.0.0.1:8000" },
  { key: "bearerToken", value: "" },
];
const NEW_KEY = "{{$guid}}"; // Postman draws one for each request

const openapi = JSON.parse(readFileSync("../../docs/openapi.json", "utf8"));
for (const item of Object.values(openapi.paths)) {
  for (const operation of [item, ...Object.values(item)]) {
    if (operation.responses) operation.responses = { default: { description: "See the document." } };
    for (const parameter of operation.parameters ?? []) {
      if (parameter.example !== undefined) continue; // else the converter draws a value at random
      parameter.schema = { type: "string" };
      parameter.example = `<${parameter.name}>`;
      delete parameter.style;
    }
  }
}
const options = {
  folderStrategy: "Tags",
  requestParametersResolution: "Example",
  exampleParametersResolution: "Example",
  enableOptionalParameters: false,
};

function kept(key, value) {
  if (key === "id" || key === "_postman_id" || key === "response") return undefined;
  if (key === "variable" && value.some((item) => item.key === "baseUrl")) return VARIABLES;
  if (value?.key === "Idempotency-Key") return { ...value, value: NEW_KEY };
  return value;
}

convert({ type: "json", data: openapi }, options, (error, result) => {
  if (error || !result.result) throw error ?? new Error(result.reason);
  writeFileSync(process.argv[2], `${JSON.stringify(result.output[0].data, kept, 1)}\n`);
});
