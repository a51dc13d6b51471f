/** Runs inside of a machine: does for the test outside what that asks, through a serial port. Ends when the test does. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createReadStream, openSync, readdirSync, writeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { Channels, join, onLines, type Signal, type Told, type Wanted } from './channels.ts';
import { packetsIn, packetsOut } from './datagrams.ts';

const port = readdirSync('/dev').find((name) => name.startsWith('vport'));
const fd = openSync(`/dev/${port}`, 'r+');
const channels = new Channels(1, write, wanted);
createReadStream('', { fd, autoClose: false })
  .on('data', (bytes) => channels.feed(bytes as Uint8Array))
  .on('end', () => process.exit(0));
channels.open({ kind: 'tcp', port: 0 }).destroy();

function write(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function wanted(what: Wanted, channel: Duplex): void {
  channel.on('error', () => {});
  switch (what.kind) {
    case 'run':
      run(what, channel);
      return;
    case 'unix':
      join(channel, connect(what.path));
      return;
    case 'tcp':
      join(channel, connect(what.port, '127.0.0.1'));
      return;
    case 'udp': {
      const socket = createSocket('udp4');
      packetsIn(channel, (packet) => socket.send(packet, what.port, '127.0.0.1'));
      socket.on('message', (packet) => packetsOut(channel, packet));
      channel.on('close', () => socket.close());
      return;
    }
    case 'listen': {
      const server = createServer((socket) => join(socket, channels.open({ kind: 'tcp', port: what.port })));
      server.listen(what.port, '127.0.0.1', () => channel.end());
    }
  }
}

function run({ command, args, env }: Extract<Wanted, { kind: 'run' }>, channel: Duplex): void {
  const tell = (told: Told): void => {
    if (!channel.destroyed) channel.write(`${JSON.stringify(told)}\n`);
  };
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  child.stdout.setEncoding('utf8').on('data', (out: string) => tell({ out }));
  child.stderr.setEncoding('utf8').on('data', (err: string) => tell({ err }));
  child.on('error', ({ message }) => tell({ ended: message }));
  child.on('close', (status, signal) => {
    tell({ ended: signal ?? status ?? 0 });
    channel.end();
  });
  onLines(channel, (line) => child.kill((JSON.parse(line) as Signal).signal));
  channel.on('close', () => child.kill('SIGKILL'));
}
