/** A step-ca of our own on the loopback: built once, then made, started, stopped and changed as a test needs it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Issuer, issueIntermediate, issueRoot } from '../../programs/controller/ca/issue.ts';
import { generateKeyPair, pemOf, sha256Hex } from '../../programs/controller/ca/keys.ts';

const cache = fileURLToPath(new URL('../../.cache/step-ca/', import.meta.url));
const source = fileURLToPath(new URL('./', import.meta.url));
const DAY_MS = 86_400_000;
/** The environment variable by which the CA's clock is off, s. */
const CLOCK = 'STEP_CA_CLOCK_SECONDS';
export const PASSWORD = 'correct horse';
export const PROVISIONER = 'vrouter';

/**
 * Go asks the kernel for the time past every library, so nothing that is preloaded moves its clock. Here one line of its own package `time`
 * is built in otherwise: it adds what the environment says. Returns the arguments of `go build`.
 */
function movableClock(folder: string): string[] {
  const root = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
  const path = join(root, 'src/time/time.go');
  const line = 'sec, nsec, mono := now()\n';
  const before = readFileSync(path, 'utf8');
  if (before.split(line).length !== 2) throw new Error(`${path} reads the clock otherwise than this test knows`);
  const offset = `
var clockOff = func() (seconds int64) {
	text, _ := syscall.Getenv("${CLOCK}")
	for _, digit := range text {
		seconds = seconds*10 + int64(digit-'0')
	}
	return
}()
`;
  const moved = `${before.replace(line, `${line}\tsec += clockOff\n`)}${offset}`;
  const withImport = moved.includes('"syscall"') ? moved : moved.replace('import (', 'import (\n\t"syscall"');
  writeFileSync(join(folder, 'time.go'), withImport);
  writeFileSync(join(folder, 'overlay.json'), JSON.stringify({ Replace: { [path]: join(folder, 'time.go') } }));
  return ['-overlay', join(folder, 'overlay.json')];
}

/** The binary, built when it is not there or its source is another. */
function stepCa(): string {
  const version = createHash('sha256')
    .update(readFileSync(join(source, 'main.go')))
    .update(movableClock.toString())
    .digest('hex')
    .slice(0, 16);
  const path = join(cache, `step-ca-${version}`);
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const making = `${path}.${process.pid}`;
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
    CGO_ENABLED: '0',
    GOCACHE: join(cache, 'go'),
  };
  const built = spawnSync('go', ['build', ...movableClock(cache), '-o', making, join(source, 'main.go')], {
    env,
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (built.status !== 0) throw new Error(`step-ca cannot be built:\n${built.stderr}`);
  renameSync(making, path);
  return path;
}

interface Root {
  readonly issuer: Issuer;
  readonly pem: string;
}

export class StepLab implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vr-step-ca-'));
  readonly url: string;
  readonly #port: number;
  readonly #program: string;
  readonly #roots: Root[] = [];
  #provisioner: unknown = null;
  #child: ChildProcess | null = null;
  #log = '';
  /** How far its clock is ahead from the next `up` on, s. */
  clockSeconds = 0;

  private constructor(program: string, port: number) {
    this.#program = program;
    this.#port = port;
    this.url = `https://127.0.0.1:${port}`;
  }

  static async start(): Promise<StepLab> {
    const lab = new StepLab(stepCa(), await freePort());
    writeFileSync(lab.passwordFile, PASSWORD, { mode: 0o600 });
    lab.newProvisionerKey();
    await lab.addRoot();
    await lab.useRoot(0);
    await lab.up();
    return lab;
  }

  get passwordFile(): string {
    return join(this.folder, 'password');
  }

  /** SHA-256 of the first root, hex. */
  get fingerprint(): string {
    return sha256Hex(new Uint8Array(this.#roots[0]!.issuer.certificate.rawData));
  }

  get log(): string {
    return this.#log;
  }

  /** Another key for the provisioner, made by step-ca's own library; in force from the next `up` on. */
  newProvisionerKey(claims: object = {}): void {
    const { key, encryptedKey } = JSON.parse(execFileSync(this.#program, ['key', PASSWORD], { encoding: 'utf8' })) as {
      key: unknown;
      encryptedKey: string;
    };
    this.#provisioner = { type: 'JWK', name: PROVISIONER, key, encryptedKey, claims };
    this.#configure();
  }

  /** Another root beside those that there are; in force from the next `up` on. */
  async addRoot(): Promise<void> {
    const pair = await generateKeyPair();
    const subject = { commonName: `lab root ${this.#roots.length}`, lifetimeMs: 3650 * DAY_MS, nowUnixMs: Date.now() };
    const certificate = await issueRoot(subject, pair.keys);
    this.#roots.push({ issuer: { certificate, privateKey: pair.keys.privateKey }, pem: pemOf(certificate) });
    writeFileSync(join(this.folder, `root-${this.#roots.length - 1}.crt`), pemOf(certificate));
    this.#configure();
  }

  /** A new intermediate by the root of that number; in force from the next `up` on. */
  async useRoot(number: number): Promise<void> {
    const pair = await generateKeyPair();
    const subject = {
      commonName: 'lab intermediate',
      publicKey: pair.keys.publicKey,
      lifetimeMs: 1825 * DAY_MS,
      nowUnixMs: Date.now(),
    };
    const certificate = await issueIntermediate(subject, this.#roots[number]!.issuer);
    writeFileSync(join(this.folder, 'intermediate.crt'), pemOf(certificate));
    writeFileSync(join(this.folder, 'intermediate.key'), pair.privateKeyPem, { mode: 0o600 });
  }

  async up(): Promise<void> {
    this.#log = '';
    const child = spawn(this.#program, ['start', join(this.folder, 'ca.json')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, [CLOCK]: String(this.clockSeconds) },
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk.toString();
      });
    this.#child = child;
    for (const end = Date.now() + 15_000; ; await delay(20)) {
      if (await answers(`${this.url}/health`)) return;
      if (child.exitCode !== null || Date.now() > end) throw new Error(`step-ca did not start:\n${this.#log}`);
    }
  }

  async down(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #configure(): void {
    const at = (name: string): string => join(this.folder, name);
    const config = {
      root: this.#roots.map((_, i) => at(`root-${i}.crt`)),
      crt: at('intermediate.crt'),
      key: at('intermediate.key'),
      address: `127.0.0.1:${this.#port}`,
      dnsNames: ['127.0.0.1', 'localhost'],
      logger: { format: 'text' },
      db: { type: 'bbolt', dataSource: at('db') },
      authority: { provisioners: [this.#provisioner] },
    };
    writeFileSync(at('ca.json'), JSON.stringify(config, null, 2));
  }
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request(url, { rejectUnauthorized: false, agent: false, timeout: 1000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
    sent.end();
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
