/**
 * A host of its own for the commands of docs/networks.md: network, mount and process namespaces in which one shell runs what is typed, and another machine
 * beside it, by a cable and a default route. Everything in it ends with it.
 *
 *   [ other ] eth0 192.0.2.2, 2001:db8::2 -- 192.0.2.1, 2001:db8::1 eth0 [ the host: vrouterd, containers ]
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, programPath } from '../world/needs.ts';

export const skip = needs('root', 'netns', 'mountns', 'ip', 'nft', 'dnsmasq', 'dig', 'curl', 'ping', 'python3');

const clone = join(import.meta.dirname, '../..');
/** Of one block. */
const BLOCK_MS = 60_000;

/** Where a block is typed, and whether each of its lines is to fail. */
export interface Block {
  readonly text: string;
  readonly where: 'host' | 'daemon' | 'elsewhere';
  readonly fails: boolean;
  /** In the document. */
  readonly line: number;
}

/** The blocks of a document that begin with "```sh", in their order. */
export function blocksOf(path: string): Block[] {
  const blocks: Block[] = [];
  let open: { words: string[]; lines: string[]; line: number } | null = null;
  for (const [i, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (!line.startsWith('```')) open?.lines.push(line);
    else if (open === null) open = { words: line.slice(3).split(' '), lines: [], line: i + 1 };
    else {
      const { words, lines } = open;
      const where = words.includes('daemon') ? 'daemon' : words.includes('elsewhere') ? 'elsewhere' : 'host';
      if (words[0] === 'sh')
        blocks.push({ text: `${lines.join('\n')}\n`, where, fails: words.includes('fails'), line: open.line });
      open = null;
    }
  }
  return blocks;
}

const setUp = `
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
ip link set lo up
ip netns add other
ip link add eth0 type veth peer name eth0 netns other
ip address add 192.0.2.1/24 dev eth0
ip address add 2001:db8::1/64 dev eth0 nodad
ip link set eth0 up
ip -n other link set lo up
ip -n other address add 192.0.2.2/24 dev eth0
ip -n other address add 2001:db8::2/64 dev eth0 nodad
ip -n other link set eth0 up
ip -n other route add default via 192.0.2.1
ip -n other route add default via 2001:db8::1
daemon=
# Fails when nobody answers in 20 s.
answers() { for i in $(seq 200); do curl -s -o /dev/null --unix-socket /var/lib/vrouter/vrouterd.sock http://x/v1/version && return; sleep 0.1; done; cat daemon.log; return 1; }
`;

export class HostWorld {
  readonly #folder = mkdtempSync(join(tmpdir(), 'networks-'));
  #shell: ChildProcess | null = null;
  #heard = '';
  #count = 0;
  #daemonFile = '';

  async start(): Promise<void> {
    // The commands are typed in the clone; what they write is not to be there.
    for (const name of ['node_modules', 'programs', 'packages', 'vrouterctl'])
      symlinkSync(join(clone, name), join(this.#folder, name));
    const folders = [...new Set(['ip', 'nft', 'dnsmasq', 'python3'].map((name) => join(programPath(name)!, '..')))];
    this.#shell = spawn('unshare', ['-nmp', '--fork', '--kill-child', '--mount-proc', 'bash', '--norc'], {
      cwd: this.#folder,
      env: { ...process.env, PATH: `${process.env.PATH}:${folders.join(':')}`, VROUTER_SOCKET: '', NO_COLOR: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#shell.stdout!, this.#shell.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#heard += text));
    await this.#type(setUp);
  }

  /** What it prints. Rejects when a command fails, or one that is to fail does not. */
  async type({ text, where, fails }: Pick<Block, 'text'> & Partial<Block>): Promise<string> {
    const file = `block-${this.#count}`;
    const lines = fails === true ? text.split('\n').filter((line) => line !== '') : [];
    const must = lines.map((line) => `if ${line}; then echo "this was to fail: ${line}"; exit 1; fi`).join('\n');
    writeFileSync(join(this.#folder, file), fails === true ? `${must}\n` : text);
    if (where === 'daemon') {
      this.#daemonFile = file;
      return this.startDaemon();
    }
    return this.#type(where === 'elsewhere' ? `ip netns exec other bash -e ./${file}` : `. ./${file}`);
  }

  startDaemon(): Promise<string> {
    return this.#type(`bash -c 'exec '"$(cat ${this.#daemonFile})" >>daemon.log 2>&1 & daemon=$!\nanswers`);
  }

  killDaemon(): Promise<string> {
    return this.#type('kill -9 $daemon; wait $daemon || true');
  }

  daemonLog(): string {
    return readFileSync(join(this.#folder, 'daemon.log'), 'utf8');
  }

  async stop(): Promise<void> {
    const shell = this.#shell;
    if (shell !== null && shell.exitCode === null && shell.signalCode === null) {
      const ended = once(shell, 'exit');
      // With it its only child ends, which is the first process of the namespace, and all in it with that one.
      shell.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true });
  }

  async #type(text: string): Promise<string> {
    const shell = this.#shell!;
    const mark = `@@ done ${this.#count++}`;
    this.#heard = '';
    shell.stdin!.write(`${text}\necho '${mark}'\n`);
    const deadline = performance.now() + BLOCK_MS;
    while (!this.#heard.includes(`${mark}\n`)) {
      if (shell.exitCode !== null) assert.fail(`it ended with ${shell.exitCode}:\n${text}\n${this.#heard}`);
      assert.ok(performance.now() < deadline, `not in time:\n${text}\n${this.#heard}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    // The other stream may be a little behind.
    await new Promise((resolve) => setTimeout(resolve, 20));
    return this.#heard.replace(`${mark}\n`, '');
  }
}
