// Reads an event stream to its end and prints what an EventSource hands out, a line each.
// CLIENT=npm takes the package eventsource, CLIENT=node the EventSource of Node itself, which follows the browsers' standard.
import { EventSource as FromNpm } from "eventsource";

const Source = process.env.CLIENT === "npm" ? FromNpm : globalThis.EventSource;
const source = new Source(process.env.STREAM);
const names = ["message", "payment.initiated", "payment.authorized", "payment.completed", "payment.failed"];

setInterval(() => {}, 60_000); // the pause before Node's own comes back does not keep the process alive
source.onopen = () => console.log(JSON.stringify(["open"]));
for (const name of names) {
  source.addEventListener(name, (event) => console.log(JSON.stringify([event.type, event.lastEventId, event.data])));
}
source.onerror = () => {
  if (source.readyState === Source.CLOSED) process.exit(0); // 204: there is nothing more to come
};
