/**
 * Asks the server over UDP: `node ask.ts HOST PORT SOCKETS BYTES`. Each socket sends one datagram; prints the answers as JSON, those that
 * came from there within 3 s.
 */
import { createSocket } from 'node:dgram';

const [host, port, sockets, bytes] = process.argv.slice(2);
const answers: string[] = [];
const end = (): never => {
  console.log(JSON.stringify(answers));
  process.exit(0);
};
setTimeout(end, 3000);
for (let i = 0; i < Number(sockets); i++) {
  const socket = createSocket('udp4', (message, from) => {
    // An answer from elsewhere is none.
    if (from.address !== host || from.port !== Number(port)) return;
    answers.push(String(message));
    if (answers.length === Number(sockets)) end();
  });
  socket.send(Buffer.alloc(Number(bytes)), Number(port), host);
}
