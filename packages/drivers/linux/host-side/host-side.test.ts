import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { HostSide, type HostSideSocket } from './host-side.ts';

const verbs: { readonly [type: number]: string } = {
  16: 'link',
  20: '+address',
  21: '-address',
  24: '+route',
  25: '-route',
};

/** A kernel that keeps a list of what it was asked, and refuses what contains a text. */
class Kernel implements HostSideSocket {
  readonly asked: string[] = [];
  refuse = '';
  #answer: Uint8Array | null = null;

  send(message: Uint8Array): void {
    const view = new DataView(message.buffer);
    const type = view.getUint16(4, true);
    // Address or destination is the first attribute.
    const at = { 16: 32, 20: 24, 21: 24, 24: 28, 25: 28 }[type]!;
    const bytes = message.subarray(at + 4, at + view.getUint16(at, true));
    const line = `${verbs[type]} ${type === 16 ? view.getUint32(at + 4, true) : bytes.toHex()}`;
    this.asked.push(line);
    const answer = new Uint8Array(20);
    const said = new DataView(answer.buffer);
    said.setUint32(0, 20, true);
    said.setUint16(4, 2, true);
    said.setUint32(8, view.getUint32(8, true), true);
    said.setInt32(16, this.refuse !== '' && line.includes(this.refuse) ? -17 : 0, true);
    this.#answer = answer;
  }

  receive(): Uint8Array | null {
    const answer = this.#answer;
    this.#answer = null;
    return answer;
  }

  indexOf(name: string): number {
    return name === 'host0' ? 5 : 0;
  }
}

test('what is new comes before what is old goes, and once is enough', () => {
  const kernel = new Kernel();
  const side = new HostSide(kernel, 'host0');
  const first = { mtu: 1420, addresses: ['10.99.0.1/24'], routes: ['10.77.0.0/24', '10.99.0.0/24'] };
  side.set(first);
  assert.deepEqual(kernel.asked.splice(0), ['link 1420', '+address 0a630001', '+route 0a4d0000']);
  side.set(first);
  assert.deepEqual(kernel.asked.splice(0), ['link 1420']);
  side.set({ mtu: 1280, addresses: ['10.98.0.1/24'], routes: [] });
  assert.deepEqual(kernel.asked.splice(0), ['link 1280', '+address 0a620001', '-route 0a4d0000', '-address 0a630001']);
});

test('a refused route leaves the side as it was, and names the field', () => {
  const kernel = new Kernel();
  const side = new HostSide(kernel, 'host0');
  side.set({ mtu: 1420, addresses: ['10.99.0.1/24'], routes: [] });
  kernel.asked.length = 0;
  kernel.refuse = '+route 0a4d';
  assert.throws(
    () => side.set({ mtu: 1280, addresses: ['10.98.0.1/24'], routes: ['10.77.0.0/24'] }),
    (thrown) =>
      thrown instanceof ProblemError &&
      thrown.problem.code === 'object.exists' &&
      thrown.problem.field === 'hostRoutes' &&
      /10\.77\.0\.0\/24/.test(thrown.message),
  );
  assert.deepEqual(kernel.asked.splice(0), [
    'link 1280',
    '+address 0a620001',
    '+route 0a4d0000',
    '-address 0a620001',
    'link 1420',
  ]);
  kernel.refuse = '';
  side.set({ mtu: 1420, addresses: ['10.99.0.1/24'], routes: [] });
  assert.deepEqual(kernel.asked, ['link 1420'], 'the address from before was not forgotten');
});

test('no device, no side', () => {
  assert.throws(() => new HostSide(new Kernel(), 'host1'), ProblemError);
});
