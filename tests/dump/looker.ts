/**
 * A program: `node looker.ts SOCKET all|named REST_MS` looks at an engine's tables again and again, whole or peer by peer, until its parent
 * says so or is gone. Says `ready` first, and at the end how often it looked and how long a look took.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineClient } from '@vrouter/engine/control/client.ts';

export interface Looked {
  readonly looks: number;
  readonly msEach: number;
  readonly rows: number;
}

const [path = '', what = 'all', restMs = '0'] = process.argv.slice(2);
const stream = connect(path);
await once(stream, 'connect');
const engine = new EngineClient({
  write: (bytes) => void stream.write(bytes),
  onData: (callback) => void stream.on('data', callback),
  onClose: (callback) => void stream.on('close', callback),
  close: () => void stream.destroy(),
});
const names = (await engine.dump()).flatMap((row) =>
  row.is === 'peer' ? [{ is: 'peer', link: row.link, publicKey: row.publicKey } as const] : [],
);
let going = true;
const stop = (): void => {
  going = false;
};
process.once('message', stop);
process.once('disconnect', stop);
process.send?.('ready');
let looks = 0;
let ms = 0;
let rows = 0;
for (; going; looks++) {
  const began = performance.now();
  rows = (await (what === 'all' ? engine.dump() : engine.dump(names))).length;
  ms += performance.now() - began;
  await sleep(Number(restMs));
}
if (process.connected) process.send?.({ looks, msEach: ms / looks, rows } satisfies Looked);
engine.close();
if (process.connected) process.disconnect?.();
