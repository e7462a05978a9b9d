// A reader of the field: Socket.IO's own server, which says what it is told to.
//
// One JSON value a line. It prints its port, who comes and goes, and what programs order; what it is to say, an event's
// name and argument, comes on its input, and with the end of that it is gone. With CCCD_TLS, a file with a key and its
// certificate, it speaks https.
"use strict";

const fs = require("node:fs");
const { Server } = require("socket.io");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const { CCCD_TLS: file, CCCD_PORT: port } = process.env;
const pem = file && fs.readFileSync(file);
const server = pem
  ? require("node:https").createServer({ key: pem, cert: pem })
  : require("node:http").createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  say({ came: socket.conn.transport.name });
  socket.emit("/info", { version: "1.1", serial_nfc: "00000000001", serial_device: "0000000001" });
  socket.onAny((name, argument) => say({ event: name, argument }));
  socket.on("disconnect", (reason) => say({ went: reason }));
});

server.listen(Number(port ?? 0), "127.0.0.1", () => say({ port: server.address().port }));

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => io.emit(...JSON.parse(line)))
  .on("close", () => process.exit(0));
