/** REST over TLS: real controllers, real certificates, `vrouterctl` and other clients. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { vrouterctl } from '../../programs/cli/process.testing.ts';
import { putFile, type TestCertificate, testAuthority } from '../../programs/controller/testing/certificates.ts';
import { TestProvider } from '../../programs/controller/testing/oidc.testing.ts';
import { ControllerProcess, spawnController } from '../../programs/controller/testing/spawn.ts';
import { Desk, oidcOptions } from './lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const DAY_MS = 24 * 3_600_000;
const authority = await testAuthority();
const ca = join(folder, 'root.pem');
writeFileSync(ca, authority.root);
const hosts = ['controller.example', 'localhost', '127.0.0.1'];
let names = 0;

async function files(made?: TestCertificate) {
  const { cert, key } = made ?? (await authority.make(hosts));
  const at = { certificate: join(folder, `${names}.pem`), key: join(folder, `${names++}.key`) };
  putFile(at.certificate, cert, 0o644);
  putFile(at.key, key);
  return { ...at, options: ['--rest-certificate', at.certificate, '--rest-key', at.key] };
}

interface Heard {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly text: string;
  readonly socket: TLSSocket;
}

function ask(url: string, options: RequestOptions = {}): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca: authority.root, agent: false, ...options }, (response) => {
      let text = '';
      // Of a kept connection it is gone when the answer is.
      const socket = response.socket as TLSSocket;
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text, socket }));
    });
    sent.on('error', reject).end();
  });
}

/** Serial of the certificate that is shown now. */
async function shown(url: string, options: ConnectionOptions = {}): Promise<{ serial: string; protocol: string }> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port), ca: authority.root, ...options });
  await once(socket, 'secureConnect');
  const found = { serial: socket.getPeerCertificate().serialNumber, protocol: socket.getProtocol()! };
  socket.destroy();
  return found;
}

test('REST speaks TLS 1.2 and more, and nothing else, also beyond the loopback', async () => {
  const controller = await ControllerProcess.start(join(folder, 'files'), [0, 0], (await files()).options);
  try {
    assert.match(controller.rest, /^https:\/\/127\.0\.0\.1:\d+$/);
    const bearer = { authorization: `Bearer ${controller.token}` };
    assert.equal((await ask(`${controller.rest}/v1/version`, { headers: bearer })).status, 200);
    assert.equal((await shown(controller.rest)).protocol, 'TLSv1.3');
    assert.equal((await shown(controller.rest, { maxVersion: 'TLSv1.2' })).protocol, 'TLSv1.2');
    const old: ConnectionOptions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(shown(controller.rest, old));
    await assert.rejects(
      new Promise((_, reject) => plainRequest(controller.rest.replace('https', 'http')).on('error', reject).end()),
    );

    const docs = await ask(`${controller.rest}/docs`);
    assert.match(String(docs.headers['content-security-policy']), /default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(docs.text, /<script(?![^>]*\bsrc=)[^>]*>\s*\S/, 'no script that the policy would stop');
    const data = await ask(`${controller.rest}/healthz`);
    for (const { headers } of [docs, data]) assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(String(data.headers['content-security-policy']), /default-src 'none'; frame-ancestors 'none'/);
    assert.equal(
      (await ask(`${controller.rest}/v1/version`)).headers['x-content-type-options'],
      'nosniff',
      'refusals too',
    );

    // The certificate is that of another name then, which node would object to before the controller can.
    const from = (host: string, more: object = {}) =>
      ask(`${controller.rest}/healthz`, { servername: 'localhost', headers: { host, ...more } });
    assert.equal((await from('controller.example')).status, 200, 'a name of the certificate');
    assert.equal((await from('evil.example')).status, 403);
    assert.equal((await from('controller.example', { origin: 'https://controller.example' })).status, 200);
    assert.equal((await from('controller.example', { origin: 'http://controller.example' })).status, 403);
    const { rest } = JSON.parse(readFileSync(join(folder, 'files/controller.json'), 'utf8')) as { rest: string };
    assert.equal(rest, controller.rest);
    const metrics = (await ask(`${controller.rest}/metrics`, { headers: bearer })).text;
    assert.match(metrics, /^vrouter_controller_rest_certificate_expiry_seconds 77\d{5}/m);
    assert.match(metrics, /^vrouter_controller_rest_certificate_failing 0$/m);
  } finally {
    await controller.end('SIGTERM');
  }
  const child = spawnController([
    ...['--data', join(folder, 'beyond'), '--rest', '0.0.0.0:0', '--agents', '127.0.0.1:0'],
    ...(await files()).options,
  ]);
  let log = '';
  for await (const chunk of child.stderr!) {
    log += String(chunk);
    if (log.includes('"msg":"listening"')) child.kill('SIGTERM');
  }
  assert.match(log, /"rest":"https:\/\/0\.0\.0\.0:\d+"/);
});

test('new files are shown without a connection lost, on SIGHUP and by themselves; broken ones are not', async () => {
  const at = await files();
  const controller = await ControllerProcess.start(join(folder, 'renewed'), [0, 0], at.options);
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: authority.root });
  try {
    const headers = { authorization: `Bearer ${controller.token}` };
    const kept = () => ask(`${controller.rest}/metrics`, { agent, headers });
    const { socket } = await kept();
    const first = await shown(controller.rest);
    const put = async (made: TestCertificate) => {
      putFile(at.certificate, made.cert, 0o644);
      putFile(at.key, made.key);
    };
    await put(await authority.make(hosts));
    controller.child.kill('SIGHUP');
    const until = async (what: () => Promise<boolean>) => {
      for (const end = Date.now() + 20_000; !(await what()); await delay(50))
        assert.ok(Date.now() < end, controller.log());
    };
    await until(async () => (await shown(controller.rest)).serial !== first.serial);
    const second = await shown(controller.rest);
    assert.equal((await kept()).socket, socket, 'the connection of before is still there');

    putFile(at.key, 'nonsense');
    controller.child.kill('SIGHUP');
    await until(async () => /rest_certificate_failing 1$/m.test((await kept()).text));
    assert.match(controller.log(), /REST keeps its certificate: there is no private key/);
    assert.equal((await shown(controller.rest)).serial, second.serial);

    await put(await authority.make(hosts));
    await until(async () => (await shown(controller.rest)).serial !== second.serial);
    const last = await kept();
    assert.equal(last.socket, socket);
    assert.match(last.text, /rest_certificate_failing 0$/m);
  } finally {
    agent.destroy();
    await controller.end('SIGTERM');
  }
});

test('with a certificate of the authority there is nothing to look after', async () => {
  const data = join(folder, 'own');
  const more = ['--rest-tls', '--agent-host', 'gateway.example'];
  const controller = await ControllerProcess.start(data, [0, 0], more);
  try {
    const root = join(data, 'ca/root.pem');
    const args = ['--controller', controller.rest, '--ca', root];
    const found = await vrouterctl([...args, '--token-file', join(data, 'admin-token'), 'whoami']);
    assert.match(found.out, /^admin, admin\n/, found.err);
    const name = { servername: 'gateway.example', host: '127.0.0.1', port: Number(new URL(controller.rest).port) };
    const socket = connect({ ...name, ca: readFileSync(root, 'utf8') });
    await once(socket, 'secureConnect');
    const before = socket.getPeerCertificate().serialNumber;
    socket.destroy();
    const token = { VROUTER_TOKEN: controller.token, VROUTER_CA: root, VROUTER_CONTROLLER: controller.rest };
    assert.equal((await vrouterctl(['ca', 'rotate'], token)).status, 0);
    assert.notEqual((await shown(controller.rest, { ca: readFileSync(root, 'utf8') })).serial, before);
  } finally {
    await controller.end('SIGTERM');
  }
});

test('vrouterctl says what is wrong with a certificate', async () => {
  const failures: readonly (readonly [what: string, made: TestCertificate, args: string[], text: RegExp])[] = [
    ['untrusted', await authority.make(hosts), [], /of an authority that is not trusted here.*name its root with --ca/],
    [
      'ended',
      await authority.make(hosts, DAY_MS, Date.now() - 3 * DAY_MS),
      ['--ca', ca],
      /certificate of the controller at \S+ has ended/,
    ],
    ['to come', await authority.make(hosts, 9 * DAY_MS, Date.now() + 3 * DAY_MS), ['--ca', ca], /is not good yet/],
    [
      'of another name',
      await authority.make(['other.example', '192.0.2.1']),
      ['--ca', ca],
      /is not for 127\.0\.0\.1 but for other\.example, 192\.0\.2\.1;/,
    ],
  ];
  for (const [what, made, args, text] of failures) {
    const controller = await ControllerProcess.start(join(folder, what), [0, 0], (await files(made)).options);
    try {
      const token = { VROUTER_TOKEN: controller.token, VROUTER_CONTROLLER: controller.rest };
      const { status, err } = await vrouterctl([...args, 'whoami'], token);
      assert.equal(status, 1, what);
      assert.match(err, text);
      assert.match(err, /\(tls\.untrusted\)/);
      if (what !== 'untrusted') continue;
      const plain = await vrouterctl(['whoami'], { ...token, VROUTER_CONTROLLER: controller.rest.replace('s:', ':') });
      assert.match(plain.err, /if it speaks TLS, ask it by https:/);
      for (const [path, hint] of [
        [join(folder, 'nowhere'), /cannot read the certificates .*ENOENT \(config\.invalid\), in --ca/],
        [join(folder, what, 'admin-token'), /there is no certificate \(PEM\)/],
      ] as const)
        assert.match((await vrouterctl(['--ca', path, 'whoami'], token)).err, hint);
    } finally {
      await controller.end('SIGTERM');
    }
  }
  const clear = await ControllerProcess.start(join(folder, 'clear'));
  const { err } = await vrouterctl(['whoami'], { VROUTER_CONTROLLER: clear.rest.replace('http:', 'https:') });
  assert.match(err, /does not speak TLS; ask it by http:/);
  await clear.end('SIGTERM');
});

test('people log in over TLS, too', async () => {
  await using provider = await TestProvider.start();
  provider.people.set('s-kim', { groups: ['everyone'], preferred_username: 'kim' });
  const more = [...(await files()).options, ...oidcOptions(provider.issuer)];
  const controller = await ControllerProcess.start(join(folder, 'people'), [0, 0], more);
  const kim = new Desk(controller.rest);
  try {
    assert.equal((await kim.logInAs('s-kim', '--ca', ca)).out, 'logged in as kim, viewer, for 12 h\n');
    assert.match((await kim.run('--ca', ca, 'whoami')).out, /^kim, viewer, from/);
    assert.match((await kim.run('whoami')).err, /\(tls\.untrusted\)/);
  } finally {
    rmSync(kim.home, { recursive: true });
    await controller.end('SIGTERM');
  }
});

test('a provider with a certificate of a private authority', async () => {
  // This process is the browser.
  setDefaultCACertificates([...getCACertificates('default'), authority.root]);
  await using provider = await TestProvider.start(await authority.make(['127.0.0.1']));
  provider.people.set('s-kim', { groups: ['everyone'], preferred_username: 'kim' });
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: ca };
  const controller = await ControllerProcess.start(join(folder, 'private'), [0, 0], oidcOptions(provider.issuer), env);
  const kim = new Desk(controller.rest);
  try {
    assert.match(provider.issuer, /^https:/);
    assert.match((await kim.run('login')).err, /cannot ask the provider at https:.*\(login\.unavailable\)/);
    assert.equal((await kim.logInAs('s-kim', '--ca', ca)).out, 'logged in as kim, viewer, for 12 h\n');
  } finally {
    rmSync(kim.home, { recursive: true });
    await controller.end('SIGTERM');
  }
});

test('what makes no sense, or is open to others, is refused at the start', async () => {
  const at = await files();
  const open = await files();
  putFile(open.key, readFileSync(open.key, 'utf8'), 0o644);
  for (const [args, status, text] of [
    [['--rest-certificate', at.certificate], 2, /--rest-certificate needs --rest-key/],
    [['--rest-key', at.key], 2, /--rest-key needs --rest-certificate/],
    [[...at.options, '--rest-tls'], 2, /one of --rest-tls and --rest-certificate/],
    [open.options, 1, /is open to other users; close it \(chmod 600\) \(config\.invalid\)/],
  ] as const) {
    const child = spawnController([
      '--data',
      join(folder, 'refused'),
      '--rest',
      '127.0.0.1:0',
      '--agents',
      '127.0.0.1:0',
      ...args,
    ]);
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, status, said);
    assert.match(said, text);
  }
});
