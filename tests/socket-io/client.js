// A program of the field: Socket.IO's own client, at the door that CCCD_DOOR names, and what it hears of it.
//
// One JSON value a line. It prints what happens; what it is to send, an event's name and argument, comes on its input, and
// with the end of that it leaves.
"use strict";

const { io } = require("socket.io-client");

const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const options = JSON.parse(process.env.CCCD_OPTIONS ?? "{}");
// Unless the test asks for something, as programs have it that ask for nothing.
const socket = io(process.env.CCCD_DOOR, { reconnection: false, ...options });

socket.io.on("open", () => {
  const { engine } = socket.io;
  say({ opened: engine.transport.name });
  engine.once("upgrade", (transport) => say({ upgraded: transport.name }));
});
socket.on("connect", () => say({ connected: socket.id }));
socket.on("connect_error", (error) =>
  say({ refused: error.message, code: error.data?.code ?? null, status: error.context?.status ?? null }),
);
socket.on("disconnect", (reason) => say({ disconnected: reason }));
socket.onAny((name, argument) => say({ event: name, argument }));

require("node:readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => socket.emit(...JSON.parse(line)))
  .on("close", () => {
    socket.disconnect();
    process.exit(0);
  });
