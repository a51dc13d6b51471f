/** Any bytes as a backup: read or refused, never a throw; with a good hash nothing but the contents decides. */
import { Lines, parseBackup } from './format.ts';

export const name = 'controller/backup';

const lines = new Lines();
const good = [
  lines.line({ vrouterBackup: 1, version: '0.1.0', schema: 1, takenUnixMs: 1_800_000_000_000 }),
  lines.line({ table: 'settings', rows: [{ name: 'controllerId', value: 'x' }] }),
  lines.line({ file: 'ca/root.pem', base64: 'AAAA' }),
  lines.end(),
].join('');

export const seeds: readonly Uint8Array[] = [new TextEncoder().encode(good)];

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  check(text);
  // Past the hash: the damage is in what was meant to be said.
  const body = text.split('\n').slice(0, -2).join('\n');
  const again = new Lines();
  try {
    check([...body.split('\n').map((line) => again.line(JSON.parse(line))), again.end()].join(''));
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
  }
}

function check(text: string): void {
  const parsed = parseBackup(text);
  if (!parsed.ok) {
    if (parsed.error.code !== 'data.corrupt') throw new Error(parsed.error.code);
    return;
  }
  for (const part of parsed.value.parts)
    if ('file' in part && (part.file.includes('..') || part.file.startsWith('/')))
      throw new Error('it leads elsewhere');
}
