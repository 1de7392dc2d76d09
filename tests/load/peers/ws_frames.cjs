// ws: each broadcast is framed once, as Socket.IO does it with the same library, and written to every member.
"use strict";

const { Sender, WebSocketServer } = require("ws");

const JOIN = "j".charCodeAt(0);
const QUOTE = '"'.charCodeAt(0);
const FRAME = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: false };
const rooms = new Map();

function member(client) {
  let room;
  client.on("message", (message) => {
    if (message[0] === JOIN) {
      const name = message.toString();
      room = rooms.get(name) ?? new Set();
      rooms.set(name, room.add(client));
      client.send("ok");
    } else if (message[1] === QUOTE) {
      client.send(message, { binary: false });
    } else {
      const frame = [Buffer.concat(Sender.frame(message, FRAME))];
      for (const each of room) each._sender.sendFrame(frame);
    }
  });
  client.on("close", () => room?.delete(client));
  client.on("error", () => {});
}

new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  backlog: 4096,
  clientTracking: false,
  skipUTF8Validation: true,
}).on("connection", member);
