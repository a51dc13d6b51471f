/** `vrouterctl capture`: the packets of the gateway on this host as a capture file, into a file or a program, while they pass. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { whole } from '../arguments.ts';
import { Failure } from '../failure.ts';
import { sessionOf, type World } from '../session.ts';
import { addFilter, type FilterOptions, queryOf } from '../trace/filter.ts';

interface Options extends FilterOptions {
  readonly snaplen?: number;
  readonly write?: string;
  readonly format?: string;
}

const examples = `
A packet is there as it came in (after decryption), as it left (before encryption), and as it was when it was dropped. Only pcapng
tells which, with the link and the reason; it is what a name that ends in .pcapng gets.

Examples:
  vrouterctl capture --link wg0 --seconds 10 --write wg0.pcapng
  vrouterctl capture --peer phone | tshark -r -
  vrouterctl capture --drops | wireshark -k -i -`;

export function addCapture(program: Command, world: World): void {
  addFilter(program.command('capture'))
    .description('packets as a capture file, to a file or to a program')
    .option('--snaplen <bytes>', 'most bytes of each packet', whole(1, 65_535))
    .option('--write <file>', 'a new file; - is standard output, the default')
    .addOption(new Option('--format <format>', 'of the file').choices(['pcap', 'pcapng']))
    .addHelpText('after', examples)
    .action(async (options: Options, command: Command) => {
      const session = sessionOf(world, command);
      const path = options.write === '-' ? undefined : options.write;
      if (path === undefined && world.outIsTerminal)
        throw new Failure(
          'usage',
          'a capture is no text for a terminal; --write it to a file, or pipe it: vrouterctl capture | tshark -r -',
          '--write',
        );
      const format = options.format ?? (path?.endsWith('.pcapng') === true ? 'pcapng' : 'pcap');
      const query = queryOf(options, {
        format,
        ...(options.snaplen === undefined ? {} : { snaplen: String(options.snaplen) }),
      });
      let lost = 0;
      const pieces = session.gateway().capture(query, world.untilInterrupted(), (count) => {
        lost = count;
      });
      // The file comes to be with the first bytes: a refused capture leaves none.
      let file: WriteStream | null = null;
      for await (const piece of pieces) {
        if (path === undefined) await world.outBytes(piece);
        else {
          file ??= await newFile(path);
          if (!file.write(piece)) await new Promise((resolve) => file!.once('drain', resolve));
        }
      }
      if (file !== null) {
        file.end();
        await finished(file);
      }
      if (lost > 0)
        world.note(`${lost} packets more went by too fast to be kept; narrow the filter or lower --snaplen`);
    });
}

/** What is in a capture is nobody else's business: mode 0600. An existing file is not written over. */
async function newFile(path: string): Promise<WriteStream> {
  try {
    const handle = await open(path, 'wx', 0o600);
    return createWriteStream(path, { fd: handle });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'EEXIST')
      throw new Failure('data.unwritable', `${path} exists already; remove it or name another file`, '--write');
    throw new Failure('data.unwritable', `cannot write ${path}: ${message}`, '--write');
  }
}
