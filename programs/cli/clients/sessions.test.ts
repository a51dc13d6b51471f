/** Sessions of logins in their files: whose, for whom, and what is not taken for one. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { Failure } from '../failure.ts';
import { type KeptSession, readSession, removeSession, sessionPath, sessionsFolder, writeSession } from './sessions.ts';
import { findToken } from './token.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-sessions-'));
after(() => rmSync(folder, { recursive: true }));
const url = new URL('https://controller.example/net/');
const kept: KeptSession = {
  controller: url.href,
  user: 'kim',
  token: `vra_k3x9q2ab_${'s'.repeat(43)}`,
  expiresUnixMs: 1_800_000_000_000,
};

function is(code: string) {
  return (thrown: unknown): boolean =>
    thrown instanceof Failure && thrown.code === code && !thrown.message.includes('sss');
}

test('the folder is that of the state of programs', () => {
  assert.equal(sessionsFolder({ HOME: '/home/kim' }), '/home/kim/.local/state/vrouter/sessions');
  assert.equal(sessionsFolder({ HOME: '/home/kim', XDG_STATE_HOME: '/s' }), '/s/vrouter/sessions');
  assert.equal(sessionsFolder({ HOME: '/home/kim', XDG_STATE_HOME: 's' }), '/home/kim/.local/state/vrouter/sessions');
  assert.equal(sessionsFolder({}), null);
});

test('a session is written for its user alone, read again, put in the place of the last one, and removed', () => {
  const own = join(folder, 'a/b');
  const path = sessionPath(own, url);
  assert.equal(readSession(path), null);
  writeSession(own, path, kept);
  writeSession(own, path, { ...kept, user: 'lee' });
  assert.deepEqual(readSession(path), { ...kept, user: 'lee' });
  assert.deepEqual([statSync(path).mode & 0o777, statSync(own).mode & 0o777], [0o600, 0o700]);
  assert.deepEqual(readdirSync(own), ['https%3A%2F%2Fcontroller.example%2Fnet.json'], 'nothing else is left');
  removeSession(path);
  assert.equal(readSession(path), null);
});

test('it goes to its controller alone, behind what was named and before what was only found', () => {
  const path = sessionPath(folder, url);
  writeSession(folder, path, kept);
  const find = (to: string, text?: string) =>
    findToken({ file: undefined, text, sessions: folder, folders: [] }, new URL(to));
  assert.deepEqual(find('https://controller.example/net'), {
    token: kept.token,
    from: 'the login of kim',
    session: path,
  });
  for (const other of [
    'http://controller.example/net',
    'https://controller.example',
    'https://controller.example:8443/net',
  ])
    assert.equal(find(other), null, other);
  const named = `vra_23456789_${'e'.repeat(43)}`;
  assert.equal(find('https://controller.example/net', named)?.token, named);
});

test('what others may read, or is no session, is not used', () => {
  const path = join(folder, 'x.json');
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    JSON.stringify({ ...kept, token: 'sss' }),
    JSON.stringify({ token: kept.token }),
  ]) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(() => readSession(path), is('config.invalid'), text);
  }
  writeFileSync(path, JSON.stringify(kept));
  chmodSync(path, 0o640);
  assert.throws(() => readSession(path), is('config.invalid'));
});

test('where nothing can be written, that is said', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.throws(() => writeSession(join(file, 'x'), join(file, 'x/y.json'), kept), is('data.unwritable'));
  mkdirSync(join(folder, 'taken.json'));
  assert.throws(() => writeSession(folder, join(folder, 'taken.json'), kept), is('data.unwritable'));
});
