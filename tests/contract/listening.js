// Reads an event stream to its end and tells what an EventSource hands out, a line each.
const NAMES = ["message", "payment.initiated", "payment.authorized", "payment.completed", "payment.failed"];

export function listen(source, tell, end) {
  source.onopen = () => tell(JSON.stringify(["open"]));
  for (const name of NAMES) {
    source.addEventListener(name, (event) => tell(JSON.stringify([event.type, event.lastEventId, event.data])));
  }
  source.onerror = () => {
    if (source.readyState === source.CLOSED) end(); // 204: there is nothing more to come
  };
}
