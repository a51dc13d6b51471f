/** `vrouterctl show controller`: how this host's gateway stands with its controller, and every address of one. */
import type { ControllerAddress, ControllerStatus, Outlook } from '@vrouter/api/gateway/gateway.ts';
import { type Cell, pairs, plain, table } from '@vrouter/core/table.ts';
import { spanText, whenText } from '@vrouter/core/units.ts';

export function controllerText(data: ControllerStatus, nowUnixMs: number): string {
  const facts = pairs([
    ['controller', data.url],
    ['state', data.state],
    ['last poll', whenText(data.lastPollUnixMs, nowUnixMs)],
    ['last error', data.lastError],
    ...outlookRows(data.outlook, nowUnixMs, ''),
  ]);
  const rows = (data.addresses ?? []).map((one) => [
    one.isCurrent ? `${plain(one.url)} *` : one.url,
    stateText(one),
    one.source,
    whenText(one.lastAnswerUnixMs, nowUnixMs),
    one.lastError === null ? null : `${whenText(one.lastErrorUnixMs, nowUnixMs)}: ${one.lastError}`,
  ]);
  const header = ['ADDRESS (* IS ASKED)', 'STATE', 'NAMED BY', 'ANSWERED', 'LAST ERROR'];
  return `${facts}\n\n${table(header, rows, 'no address of a controller is known')}`;
}

/** What is the matter, since when, what works, what does not, when it gets worse, what to do. */
export function outlookRows(outlook: Outlook | undefined, nowUnixMs: number, indent: string): [string, Cell][] {
  if (outlook === undefined) return [];
  const { severity, summary, sinceUnixMs, works, stopped, worsens, advice } = outlook;
  const said: [string, Cell][] = [[`${indent}outlook`, `${severity === 'good' ? '' : `${severity}: `}${summary}`]];
  if (severity === 'good') return said;
  if (sinceUnixMs !== null)
    said.push([`${indent}since`, `${new Date(sinceUnixMs).toISOString()} (${whenText(sinceUnixMs, nowUnixMs)})`]);
  said.push([`${indent}works`, works], [`${indent}stopped`, stopped]);
  if (worsens !== null) said.push([`${indent}gets worse`, `${whenText(worsens.atUnixMs, nowUnixMs)}: ${worsens.what}`]);
  said.push([`${indent}to do`, advice]);
  return said;
}

/** One line for each where there are several, or where one fails. */
export function addressRows(addresses: readonly ControllerAddress[], nowUnixMs: number): [string, Cell][] {
  if (addresses.length < 2 && addresses.every(({ state }) => state !== 'failing')) return [];
  return addresses.map((one): [string, Cell] => {
    const error = one.lastError === null ? '' : `, ${whenText(one.lastErrorUnixMs, nowUnixMs)}: ${one.lastError}`;
    return ['  address', `${one.url} ${stateText(one)} (${one.source})${one.isCurrent ? ', is asked' : ''}${error}`];
  });
}

function stateText({ state, retryInMs }: ControllerAddress): string {
  if (retryInMs === null || state !== 'failing') return state;
  return retryInMs === 0 ? 'failing, is tried next' : `failing, tried again in ${spanText(retryInMs)}`;
}
