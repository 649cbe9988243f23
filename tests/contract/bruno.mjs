// Writes the collection for Bruno, made of that for Postman: `node bruno.mjs COLLECTION`. With ids by the order of what they name, so
// that the same document gives the same file.
import { readFileSync, writeFileSync } from "node:fs";
import { postmanToBruno } from "@usebruno/converters";

const postman = JSON.parse(readFileSync("../../docs/payments.postman_collection.json", "utf8"));
const { packageReport, ...bruno } = (await postmanToBruno(postman)).collection;
let count = 0;

function kept(key, value) {
  if (key === "uid") return String(++count).padStart(21, "0");
  if (key === "url" && typeof value === "string") return value.replace("http://{{baseUrl}}", "{{baseUrl}}");
  return value;
}

const text = JSON.stringify(bruno, kept, 1);
writeFileSync(process.argv[2], `${text}\n`);
