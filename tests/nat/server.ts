/**
 * A server for the NAT world, on one port for TCP (HTTP) and UDP; it tells who has asked, as it sees them. `node server.ts PORT`
 *
 *   GET /who            address:port of the client
 *   GET /slow/N         N numbered lines, one every 50 ms: a flow that lasts
 *   GET /bytes/N        N bytes
 *   PUT /               how many bytes came
 *   a datagram          address:port of the client, and how many bytes came
 */
import { createSocket } from 'node:dgram';
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const port = Number(process.argv[2]);

async function slow(response: ServerResponse, lines: number): Promise<void> {
  for (let i = 0; i < lines; i++) {
    response.write(`${i}\n`);
    await sleep(50);
  }
  response.end();
}

const server = createServer((request, response) => {
  const [, what, argument] = request.url!.split('/');
  if (request.method === 'PUT') {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.end(`${bytes}`));
  } else if (what === 'bytes') response.end(Buffer.alloc(Number(argument), 'x'));
  else if (what === 'slow') void slow(response, Number(argument));
  else response.end(`${request.socket.remoteAddress}:${request.socket.remotePort}`);
});
server.keepAliveTimeout = 600_000;
const socket = createSocket('udp4', (message, from) => {
  socket.send(`${from.address}:${from.port} ${message.length}`, from.port, from.address);
});
socket.bind(port, '0.0.0.0', () => server.listen(port, '0.0.0.0', () => console.log('listening')));
