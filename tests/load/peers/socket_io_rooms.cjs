// Socket.IO: rooms, acknowledgements, WebSocket only.
"use strict";

const { createServer } = require("node:http");
const { Server } = require("socket.io");

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  pingInterval: 3_600_000,
});

io.on("connection", (socket) => {
  let room;
  socket.on("join", (name, done) => {
    socket.join((room = name));
    done("ok");
  });
  socket.on("ping", (payload, done) => done(payload));
  socket.on("new_msg", (payload) => io.to(room).emit("new_msg", payload));
});

http.listen(Number(process.argv[2]), "127.0.0.1", 4096);
