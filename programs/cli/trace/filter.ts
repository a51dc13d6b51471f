/** The options that say which packets: the same for `trace` and `capture`. */
import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';

export interface FilterOptions {
  readonly link?: string;
  readonly peer?: string;
  readonly src?: string;
  readonly dst?: string;
  readonly proto?: string;
  readonly port?: number;
  readonly drops?: boolean;
  readonly count?: number;
  readonly seconds?: number;
}

export function addFilter(command: Command): Command {
  return command
    .option('--link <name>', 'in or out by this link')
    .option(
      '--peer <name>',
      'from or to this peer: its name or public key; what could not be opened counts by its endpoint',
    )
    .option('--src <prefix>', 'from an address of this prefix')
    .option('--dst <prefix>', 'to an address of this prefix')
    .addOption(new Option('--proto <protocol>', 'of this protocol').choices(['tcp', 'udp', 'icmp']))
    .option('--port <number>', 'from or to this port', whole(1, 65_535))
    .option('--drops', 'only packets that are dropped')
    .option('--count <number>', 'end after so many packets', whole(1, 1_000_000_000))
    .option('--seconds <number>', 'end after so many seconds', whole(1, 86_400));
}

/** The options as the query of a request; empty without any. */
export function queryOf(options: FilterOptions, more: { readonly [name: string]: string } = {}): string {
  const query = new URLSearchParams(more);
  const put = (name: string, value: string | number | boolean | undefined): void => {
    if (value !== undefined) query.set(name, String(value));
  };
  put('link', options.link);
  put('peer', options.peer);
  put('source', options.src);
  put('destination', options.dst);
  put('protocol', options.proto);
  put('port', options.port);
  put('drops', options.drops);
  put('count', options.count);
  put('seconds', options.seconds);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}
