/** Sealing and opening one packet in place, in nanoseconds: the cipher that the engine uses, against EVP and node:crypto. */
import { CRYPTO_BACKENDS, type CryptoBackend, hasBackend, systemCrypto } from '@vrouter/host/crypto/system.ts';
import type { BenchResult } from './result.ts';

const ROUNDS = 7;
const PACKETS = 5000;
const sizes = [64, 1420] as const;

type Numbers = Record<string, number>;

/** Nanoseconds per packet of one round. */
function round(backend: CryptoBackend, size: number): { readonly seal: number; readonly open: number } {
  const cipher = systemCrypto(backend).transportCipher(new Uint8Array(32).fill(7));
  const packets = new Uint8Array(new ArrayBuffer(PACKETS * (size + 16)));
  const start = process.hrtime.bigint();
  for (let i = 0; i < PACKETS; i++) cipher.seal(packets, i * (size + 16), size, i, 0);
  const sealed = process.hrtime.bigint();
  for (let i = 0; i < PACKETS; i++)
    if (!cipher.open(packets, i * (size + 16), size, i, 0)) throw new Error('what was sealed does not open');
  const opened = process.hrtime.bigint();
  cipher.destroy();
  return { seal: Number(sealed - start) / PACKETS, open: Number(opened - sealed) / PACKETS };
}

export async function run(): Promise<BenchResult> {
  const backends = CRYPTO_BACKENDS.filter(hasBackend);
  const best = new Map<CryptoBackend, Numbers>(backends.map((backend) => [backend, {}]));
  // In turns, and the best of several: a neighbour on the machine can halve any single run.
  for (let i = 0; i < ROUNDS; i++)
    for (const [backend, numbers] of best)
      for (const size of sizes) {
        const { seal, open } = round(backend, size);
        numbers[`seal_ns_${size}`] = Math.min(numbers[`seal_ns_${size}`] ?? Infinity, Math.round(seal));
        numbers[`open_ns_${size}`] = Math.min(numbers[`open_ns_${size}`] ?? Infinity, Math.round(open));
      }
  const ours = best.get(backends[0]!)!;
  const peers = Object.fromEntries([...best].slice(1));
  const ratio: Numbers = {};
  for (const [name, theirs] of Object.entries(peers))
    ratio[name] = Number(Math.min(...Object.keys(ours).map((figure) => theirs[figure]! / ours[figure]!)).toFixed(2));
  return { bench: 'aead', real: backends.length > 1, ours, peers, ratio, note: `ours is ${backends[0]}` };
}
