// A Phoenix client, as small as this page needs it: protocol V2 in JSON, with heartbeats, and it comes back.

const HEARTBEAT = 30_000;
const REPLY_LIMIT = 10_000;
const PAUSES = [200, 500, 1000, 2000, 5000];

export class Socket {
  /** `events`: `opened()`, `lost(wasOpen)`. */
  constructor(url, token, events) {
    this.url = url;
    this.protocols = ["phoenix", `base64url.bearer.phx.${base64url(token)}`];
    this.events = events;
    this.channels = new Map();
    this.waiting = new Map();
    this.lastRef = 0;
    this.failures = 0;
    this.wanted = false;
  }

  connect() {
    this.wanted = true;
    this.open = false;
    clearInterval(this.beating);
    const connection = (this.connection = new WebSocket(this.url, this.protocols));
    connection.onopen = () => this.opened();
    connection.onmessage = ({ data }) => this.received(JSON.parse(data));
    connection.onclose = () => connection === this.connection && this.closed();
  }

  disconnect() {
    this.wanted = false;
    clearTimeout(this.retrying);
    this.connection?.close(1000);
  }

  channel(topic) {
    const channel = new Channel(this, topic);
    this.channels.set(topic, channel);
    return channel;
  }

  /** Resolves to the response; rejects with a sentence. */
  send(joinRef, topic, event, payload) {
    if (!this.open) return Promise.reject(new Error("The node cannot be reached."));
    const ref = String(++this.lastRef);
    this.connection.send(JSON.stringify([joinRef === "own" ? ref : joinRef, ref, topic, event, payload]));
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => this.answer(ref, "error", { reason: "The node did not answer." }), REPLY_LIMIT);
      this.waiting.set(ref, { resolve, reject, limit, ref });
    });
  }

  opened() {
    this.open = true;
    this.failures = 0;
    this.beating = setInterval(() => {
      this.send(null, "phoenix", "heartbeat", {}).catch(() => this.connection.close());
    }, HEARTBEAT);
    this.events.opened();
    for (const channel of this.channels.values()) channel.join();
  }

  received([joinRef, ref, topic, event, payload]) {
    if (event === "phx_reply") this.answer(ref, payload.status, payload.response);
    else this.channels.get(topic)?.told(joinRef, event, payload);
  }

  answer(ref, status, response) {
    const waiting = this.waiting.get(ref);
    if (!waiting) return;
    this.waiting.delete(ref);
    clearTimeout(waiting.limit);
    if (status === "ok") waiting.resolve({ ref, response });
    else waiting.reject(new Error(response.reason ?? "The node refused it."));
  }

  closed() {
    const wasOpen = this.open;
    this.open = false;
    clearInterval(this.beating);
    for (const ref of [...this.waiting.keys()]) this.answer(ref, "error", { reason: "The connection was lost." });
    if (!this.wanted) return;
    this.retrying = setTimeout(() => this.connect(), PAUSES[Math.min(this.failures++, PAUSES.length - 1)]);
    this.events.lost(wasOpen);
  }
}

class Channel {
  constructor(socket, topic) {
    this.socket = socket;
    this.topic = topic;
    this.handlers = new Map();
    this.joinRef = null;
    this.joining = new Promise((resolve) => (this.joinedFirst = resolve));
  }

  on(event, handler) {
    this.handlers.set(event, handler);
    return this;
  }

  /** Resolves to the response, when it has joined for the first time; rejects with a sentence. */
  async push(event, payload = {}) {
    await this.joining;
    return (await this.socket.send(this.joinRef, this.topic, event, payload)).response;
  }

  join() {
    const joining = this.socket.send("own", this.topic, "phx_join", {}).then(({ ref, response }) => {
      this.joinRef = ref;
      this.handlers.get("joined")?.(response);
    });
    joining.catch(() => {}); // whoever pushes hears of it
    this.joinedFirst(joining);
    this.joining = joining;
  }

  told(joinRef, event, payload) {
    if (joinRef !== null && joinRef !== this.joinRef) return;
    if (event === "phx_error") setTimeout(() => this.socket.open && this.join(), PAUSES[2]);
    else this.handlers.get(event)?.(payload);
  }
}

function base64url(text) {
  const binary = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
