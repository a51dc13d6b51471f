/** Datagrams in a stream: each after its length. */
import type { Duplex } from 'node:stream';

export function packetsOut(channel: Duplex, packet: Uint8Array): void {
  if (channel.destroyed) return;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(packet.length);
  channel.write(Buffer.concat([length, packet]));
}

export function packetsIn(channel: Duplex, take: (packet: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  channel.on('data', (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16LE(0)) {
      const end = 2 + rest.readUInt16LE(0);
      take(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  });
}
