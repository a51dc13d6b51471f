/**
 * A peer's traffic where the kernel has the tunnel's inner side (wireguard-go in a network namespace): plain UDP sockets.
 * Usage: kernel-main.ts ADDRESS...
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type InnerStack, serveCommands } from '../traffic/agent.ts';
import { TRAFFIC_PORT } from '../traffic/port.ts';

async function kernelStack(addresses: readonly string[]): Promise<InnerStack> {
  const sockets = new Map<4 | 6, Socket>();
  for (const address of addresses) {
    const family = address.includes(':') ? 6 : 4;
    const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
    socket.bind(TRAFFIC_PORT, address);
    await once(socket, 'listening');
    sockets.set(family, socket);
  }
  return {
    addresses,
    send: (to, payload) => sockets.get(to.includes(':') ? 6 : 4)?.send(payload, TRAFFIC_PORT, to),
    onPayload(callback) {
      for (const socket of sockets.values()) socket.on('message', (bytes, from) => callback(from.address, bytes));
    },
    ping: () => Promise.reject(new Error('this peer has no echo requests of its own')),
    counters: () => ({ rxBytes: null, txBytes: null, handshakes: null }),
    async close() {
      for (const socket of sockets.values()) socket.close();
    },
  };
}

await serveCommands(await kernelStack(process.argv.slice(2)));
