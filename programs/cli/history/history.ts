/** `vrouterctl history`: what has passed through a virtual router, or to and from a peer. */
import { type HistoryReply, historyReply } from '@vrouter/api/rest/history.ts';
import { table } from '@vrouter/core/table.ts';
import { bytesText, spanText } from '@vrouter/core/units.ts';
import { type Command, InvalidArgumentError } from 'commander';
import { pathOf } from '../clients/controller.ts';
import { sessionOf, type World } from '../session.ts';

const units: { readonly [unit: string]: number } = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const DEFAULT = '1h';
/** Rows of a table that people still read. */
const MOST_ROWS = 60;

const help = `
The last day is kept by the minute, a month by the quarter hour, two years by the day; of a peer by five minutes, hours and days.
--json has every step; the table joins steps to ${MOST_ROWS} rows at most.

Examples:
  vrouterctl history edge-1
  vrouterctl history edge-1 --peer phone --since 7d
  vrouterctl history edge-1 --since 30d --json`;

/** `90m`, `24h`, `7d` in ms. */
export function parseSpan(text: string): number {
  const found = /^(\d{1,5})([mhd])$/.exec(text);
  const ms = Number(found?.[1]) * (units[found?.[2] ?? ''] ?? Number.NaN);
  if (!(ms > 0)) throw new InvalidArgumentError('a span of time looks like 90m, 24h or 7d.');
  return ms;
}

export function addHistory(program: Command, world: World): void {
  program
    .command('history')
    .description('what has passed through a virtual router, or to and from one of its peers')
    .argument('<vrouter>')
    .option('--peer <name>', 'name or public key of a peer')
    .option('--since <span>', `how far back: 90m, 24h, 7d (default: ${DEFAULT})`, parseSpan)
    .addHelpText('after', help)
    .action(async (vrouter: string, options: { readonly peer?: string; readonly since?: number }, command: Command) => {
      const session = sessionOf(world, command);
      const from = Math.max(0, world.nowUnixMs() - (options.since ?? parseSpan(DEFAULT)));
      const peer = options.peer === undefined ? '' : `&peer=${encodeURIComponent(options.peer)}`;
      const path = `${pathOf`/v1/vrouters/${vrouter}/history`}?fromUnixMs=${from}${peer}`;
      session.show(await session.controller().get(path, historyReply), historyText);
    });
}

/** Steps joined to rows, rates in bits a second. */
export function historyText(reply: HistoryReply): string {
  const { stepMs, fromUnixMs, untilUnixMs, points } = reply;
  const steps = Math.max(1, Math.ceil((untilUnixMs - fromUnixMs) / stepMs));
  const rowMs = stepMs * Math.ceil(steps / MOST_ROWS);
  const rows = new Map<number, { rx: number; tx: number; packets: number; drops: number }>();
  for (const point of points) {
    const at = fromUnixMs + Math.floor((point.atUnixMs - fromUnixMs) / rowMs) * rowMs;
    const row = rows.get(at) ?? { rx: 0, tx: 0, packets: 0, drops: 0 };
    row.rx += point.rxBytes;
    row.tx += point.txBytes;
    row.packets += point.rxPackets + point.txPackets;
    row.drops += point.drops;
    rows.set(at, row);
  }
  const rate = (bytes: number): string => `${((8 * bytes) / (rowMs / 1000) / 1e6).toFixed(3)} Mb/s`;
  const texts = [...rows].map(([at, row]) => [
    `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')}Z`,
    bytesText(row.rx),
    bytesText(row.tx),
    rate(row.rx),
    rate(row.tx),
    row.packets,
    ...(reply.peer === null ? [row.drops] : []),
  ]);
  const heads = [`FROM, FOR ${spanText(rowMs).toUpperCase()}`, 'RECEIVED', 'SENT', 'RECEIVED/S', 'SENT/S', 'PACKETS'];
  const none = `nothing passed in the last ${spanText(untilUnixMs - fromUnixMs)}`;
  return table(reply.peer === null ? [...heads, 'DROPPED'] : heads, texts, none);
}
