/** Where the files of a zone are. The driver writes the first four, whoever looks after the process the others. */
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';

export interface ZoneFiles {
  readonly folder: string;
  /** The zone as an object, JSON. A folder without it is no zone (yet, or no more). */
  readonly zone: string;
  /** What a process is started with; another one means another process. */
  readonly configuration: string;
  /** Names and addresses, in the shape of hosts(5); read again on SIGHUP. */
  readonly names: string;
  /** Who is asked for other names; read again on SIGHUP. */
  readonly forwarders: string;
  /** A folder with one empty file, whose name says how often the process was told to read: it tells in its log what it has read. */
  readonly marks: string;
  readonly log: string;
  /** The process that was started for it. */
  readonly process: string;
}

export function zoneFiles(data: string, zone: string): ZoneFiles {
  const folder = join(data, zone);
  return {
    folder,
    zone: join(folder, 'zone.json'),
    configuration: join(folder, 'dnsmasq.conf'),
    names: join(folder, 'names'),
    forwarders: join(folder, 'forwarders'),
    marks: join(folder, 'marks'),
    log: join(folder, 'log'),
    process: join(folder, 'process.json'),
  };
}

/** The name of a zone, which is also the name of its folder: nothing that a path would mind. `name.invalid`. */
export function checkZoneName(name: string): Result<string> {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(name)) return ok(name);
  return err(
    problem('name.invalid', 'a zone is named by a letter or digit and up to 62 more of a-z A-Z 0-9 _ . -', 'name'),
  );
}

/**
 * Whether the path can stand in a configuration of dnsmasq, where spaces, quotes and `#` mean something. Throws ProblemError
 * `config.invalid`.
 */
export function checkDataFolder(path: string): string {
  if (/^\/[a-zA-Z0-9_./+@:=-]*$/.test(path)) return path;
  throw new ProblemError(
    problem('config.invalid', `the folder for names of networks, ${path}, must be absolute and without odd characters`),
  );
}
