/** The bash script is tried in bash; all three name every command. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { vrouterctl } from '../process.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'phone.conf'), '');
const script = (await vrouterctl(['completion', 'bash'])).out;

/** What bash offers for a line whose last word is being typed. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const program = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_vrouterctl
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', program], { cwd: folder, encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout.split('\n').filter((word) => word !== '');
}

for (const [line, words] of [
  ['vrouterctl sh', ['show']],
  ['vrouterctl p', ['plan', 'peer', 'port', 'published-port']],
  ['vrouterctl show p', ['peers', 'plan']],
  ['vrouterctl --json show ro', ['routes']],
  ['vrouterctl --socket x peer l', ['list']],
  ['vrouterctl peer add edge-1 phone --p', ['--public-key', '--psk']],
  ['vrouterctl peer add edge-1 phone --out ph', ['phone.conf']],
  ['vrouterctl peer add edge-1 phone --keepalive ', []],
  ['vrouterctl vrouter create --li', ['--listen-port']],
  ['vrouterctl show peers ', []],
  ['vrouterctl apply --p', ['--prune', '--plan']],
  ['vrouterctl apply -f ph', ['phone.conf']],
  ['vrouterctl apply --file ph', ['phone.conf']],
  ['vrouterctl nonsense sh', ['show']],
] as const) {
  test(`bash: ${line}`, () => assert.deepEqual(offered(line), words));
}

test('bash takes it as completion of vrouterctl', () => {
  const { stdout } = spawnSync('bash', ['--norc', '-c', `${script}\ncomplete -p vrouterctl`], { encoding: 'utf8' });
  assert.equal(stdout, 'complete -F _vrouterctl vrouterctl\n');
});

for (const shell of ['bash', 'zsh', 'fish']) {
  test(`${shell}: every command is in it`, async () => {
    const { status, out } = await vrouterctl(['completion', shell]);
    assert.equal(status, 0);
    for (const word of [
      'interfaces',
      'watch',
      'confirm',
      'stop',
      'token',
      'remove',
      'blackhole',
      'allowed-ips',
      'completion',
    ])
      assert.match(out, new RegExp(`\\b${word}\\b`), word);
  });
}
