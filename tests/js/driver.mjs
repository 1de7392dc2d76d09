// Drives real phoenix.js clients for the tests: commands come in, what clients see goes out, one JSON object a line.
import { createInterface } from "node:readline";
import { LongPoll, Presence, Socket } from "phoenix";
import { WebSocket } from "ws";

// Milliseconds in which joins and pushes are answered, however busy the machine is.
const PATIENCE = 60_000;

const sockets = new Map();
const channels = new Map();
// Binary data crosses as {"binary": hex}.
const shown = (_, value) => (value instanceof ArrayBuffer ? { binary: Buffer.from(value).toString("hex") } : value);
const read = (_, value) => {
  if (typeof value?.binary !== "string") return value;
  return Uint8Array.from(Buffer.from(value.binary, "hex")).buffer;
};
const tell = (object) => process.stdout.write(JSON.stringify(object, shown) + "\n");

// A WebSocket as behind a proxy that lets none through.
class BlockedWebSocket extends WebSocket {
  constructor() {
    super("ws://127.0.0.1:1");
  }
}
const transports = { websocket: WebSocket, longpoll: LongPoll, blocked: BlockedWebSocket };

const commands = {
  connect({ socket: name, url, options: { transport = "websocket", ...options } = {} }) {
    const socket = new Socket(url, { transport: transports[transport], timeout: PATIENCE, ...options });
    sockets.set(name, socket);
    socket.onOpen(() => tell({ socket: name, event: "open" }));
    socket.onClose(({ code, reason }) => tell({ socket: name, event: "close", code, reason: String(reason) }));
    socket.onError((error) => tell({ socket: name, event: "error", message: String(error?.message ?? error) }));
    socket.connect();
  },

  disconnect({ socket }) {
    sockets.get(socket).disconnect();
  },

  // As a network that fails does it: no closing handshake, no word.
  cut({ socket }) {
    sockets.get(socket).conn.terminate();
  },

  join({ socket, channel: name, topic, params = {}, presence = false }) {
    const channel = sockets.get(socket).channel(topic, params);
    channels.set(name, channel);
    // Every message of the channel, before phoenix.js hands it to bindings.
    channel.onMessage = (event, payload, ref) => {
      if (!event.startsWith("chan_reply_")) tell({ channel: name, event, payload, ref });
      return payload;
    };
    if (presence) commands.presence({ channel: name });
    channel
      .join()
      .receive("ok", (response) => tell({ channel: name, joined: "ok", response }))
      .receive("error", (response) => tell({ channel: name, joined: "error", response }))
      .receive("timeout", () => tell({ channel: name, joined: "timeout" }));
  },

  push({ channel, event, payload = {}, id }) {
    const push = channels.get(channel).push(event, payload);
    for (const status of ["ok", "error", "timeout"]) {
      push.receive(status, (response = null) => tell({ channel, reply: id, status, response }));
    }
  },

  leave({ channel, id }) {
    channels
      .get(channel)
      .leave()
      .receive("ok", () => tell({ channel, reply: id, status: "ok", response: null }));
  },

  presence({ channel }) {
    const presence = new Presence(channels.get(channel));
    presence.onJoin((key, current, joined) => tell({ channel, event: "join", key, current, joined }));
    presence.onLeave((key, current, left) => tell({ channel, event: "leave", key, current, left }));
    presence.onSync(() => tell({ channel, event: "sync", list: presence.state }));
  },

  extensions({ socket, id }) {
    tell({ socket, reply: id, status: "ok", response: sockets.get(socket).conn.extensions });
  },

  ping({ socket, id }) {
    sockets.get(socket).ping((time) => tell({ socket, reply: id, status: "ok", response: time }));
  },

  state({ socket, channel, id }) {
    const response = channel ? channels.get(channel).state : sockets.get(socket).connectionState();
    tell({ socket, channel, reply: id, status: "ok", response });
  },
};

process.on("uncaughtException", (error) => tell({ error: String(error.stack) }));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line, read);
    commands[command.do](command);
  })
  .on("close", () => process.exit(0));
