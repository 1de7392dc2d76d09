// Bun, whose WebSockets are uWebSockets: topics and publish.
"use strict";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("WebSockets only", { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    sendPings: false,
    backpressureLimit: 64 << 20,
    message(client, message) {
      if (message[0] === "j") {
        client.subscribe((client.data = message.slice(1)));
        client.send("ok");
      } else if (message[1] === '"') {
        client.send(message);
      } else {
        server.publish(client.data, message);
      }
    },
  },
});
