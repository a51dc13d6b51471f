/**
 * Stands here for a program in a machine: `node relay.ts DOOR COMMAND [ARGUMENT...]`. Says what it says, hands signals on and ends as it does;
 * killed, it takes the program along.
 */
import { connect } from 'node:net';
import { onLines, type Signal, type Told, type Wanted } from './channels.ts';

const [door, command, ...args] = process.argv.slice(2);
const { NODE_COMPILE_CACHE: cache } = process.env;
const wanted: Wanted = {
  kind: 'run',
  command: command!,
  args,
  env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
};
const socket = connect(door!);
socket.write(`${JSON.stringify(wanted)}\n`);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  process.on(signal, () => socket.write(`${JSON.stringify({ signal } satisfies Signal)}\n`));
onLines(socket, (line) => {
  const told = JSON.parse(line) as Told;
  if ('out' in told) process.stdout.write(told.out);
  else if ('err' in told) process.stderr.write(told.err);
  else process.exit(typeof told.ended === 'number' ? told.ended : 1);
});
socket.on('error', () => process.exit(1)).on('close', () => process.exit(1));
