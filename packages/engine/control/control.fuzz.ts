/** Any bytes at the control socket: frames, UTF-8, requests and actions. Nothing may throw; what is accepted must survive a round trip. */
import { encodeFrame, FrameDecoder } from './frame.ts';
import { parseAction, parseRequest, requestId } from './parse.ts';

export const name = 'engine/control';

export const seeds: readonly Uint8Array[] = [
  { id: 1, method: 'dump', only: [{ is: 'route', vrf: 'default', prefix: '10.0.0.0/8' }] },
  { id: 2, method: 'apply', actions: [{ do: 'vrf.set', name: 'blue', tableId: 7 }] },
  { id: 3, method: 'counters' },
  {
    id: 3,
    method: 'apply',
    actions: [{ do: 'natSettings.set', sessions: 9, udpSeconds: 120 }, { do: 'natSettings.remove' }],
  },
  {
    id: 4,
    method: 'apply',
    actions: [
      {
        do: 'link.set',
        name: 'host0',
        type: 'tun',
        vrf: 'default',
        mtu: 1420,
        adminUp: true,
        hostRoutes: ['10.0.0.0/8'],
      },
    ],
  },
  { id: 4, method: 'trace', filter: { link: 'wg0', source: '10.0.0.0/8', protocol: 'udp', port: 53, drops: true } },
  { id: 5, method: 'capture', filter: { peer: 'x', count: 3, seconds: 5 }, snapLen: 96 },
  { id: 6, method: 'cancel', stream: 4 },
].map(encodeFrame);

export function fuzzOne(bytes: Uint8Array): void {
  const decoder = new FrameDecoder();
  const cut = bytes.length >>> 1;
  for (const chunk of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
    decoder.push(chunk);
    for (let next = decoder.next(); next !== null; next = decoder.next()) {
      if (!next.ok) return;
      if (requestId(next.value) === null) continue;
      const request = parseRequest(next.value);
      if (!request.ok || request.value.method !== 'apply') continue;
      for (const raw of request.value.actions) {
        const action = parseAction(raw);
        if (!action.ok) continue;
        const again = parseAction(JSON.parse(JSON.stringify(action.value)));
        if (!again.ok || JSON.stringify(again.value) !== JSON.stringify(action.value))
          throw new Error(`an action came back changed: ${JSON.stringify(action.value)}`);
      }
    }
  }
}
