/** How a controller refuses to start. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ControllerProcess, spawnController } from './testing/spawn.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-controller-'));
let controller: ControllerProcess;

before(async () => {
  controller = await ControllerProcess.start(data);
});

after(async () => {
  await controller.end('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

test('a second controller on the folder or the port says so and ends', async () => {
  for (const [args, code] of [
    [['--data', data], 'data.inUse'],
    [['--data', join(data, 'other'), '--rest', new URL(controller.rest).host, '--agents', '127.0.0.1:0'], 'port.inUse'],
    [
      ['--data', join(data, 'other'), '--agents', new URL(controller.agents).host, '--rest', '127.0.0.1:0'],
      'port.inUse',
    ],
  ] as const) {
    const child = spawnController(args);
    let text = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const [status] = await once(child, 'exit');
    assert.equal(status, 1, text);
    assert.match(text, new RegExp(`\\(${code}\\)`));
  }
});

test('usage is answered with exit 2, and REST stays on the loopback', async () => {
  for (const args of [
    [],
    ['--data', data, '--nonsense'],
    ['--data', data, '--rest', '0.0.0.0:0'],
    ['--data', data, '--agents', 'x'],
  ]) {
    const [status] = await once(spawnController(args), 'exit');
    assert.equal(status, 2, args.join(' '));
  }
});
