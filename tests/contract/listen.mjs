// Prints what comes by an event stream.
// CLIENT=npm takes the package eventsource, CLIENT=node the EventSource of Node itself, which follows the browsers' standard.
import { EventSource as FromNpm } from "eventsource";
import { listen } from "./listening.js";

const Source = process.env.CLIENT === "npm" ? FromNpm : globalThis.EventSource;

setInterval(() => {}, 60_000); // the pause before Node's own comes back does not keep the process alive
listen(new Source(process.env.STREAM), console.log, () => process.exit(0));
