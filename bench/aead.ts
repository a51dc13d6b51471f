/** Sealing and opening one packet in place: OpenSSL by its own functions against node:crypto, in nanoseconds. */
import { type CryptoBackend, cryptoBackend, systemCrypto } from '@vrouter/host/crypto/system.ts';

const ROUNDS = 7;
const PACKETS = 5000;
const sizes = [64, 1420] as const;

interface Numbers {
  readonly [name: string]: number;
}

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

export async function run(): Promise<object> {
  const best = new Map<CryptoBackend, { [name: string]: number }>([
    [cryptoBackend(), {}],
    ['node-crypto', {}],
  ]);
  // In turns, and the best of several: a neighbour on the machine can halve any single run.
  for (let i = 0; i < ROUNDS; i++)
    for (const [backend, numbers] of best)
      for (const size of sizes) {
        const { seal, open } = round(backend, size);
        numbers[`seal_ns_${size}`] = Math.min(numbers[`seal_ns_${size}`] ?? Infinity, Math.round(seal));
        numbers[`open_ns_${size}`] = Math.min(numbers[`open_ns_${size}`] ?? Infinity, Math.round(open));
      }
  const ours = best.get(cryptoBackend())!;
  const theirs: Numbers = best.get('node-crypto')!;
  const real = best.size === 2;
  const ratios = Object.keys(ours).map((name) => theirs[name]! / ours[name]!);
  return {
    bench: 'aead',
    real,
    ours,
    peers: real ? { 'node-crypto': theirs } : {},
    ...(real ? { ratio: { 'node-crypto': Number(Math.min(...ratios).toFixed(2)) } } : {}),
  };
}
