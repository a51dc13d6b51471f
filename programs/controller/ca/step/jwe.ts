/** Opens the key of a JWK provisioner as step-ca keeps it: RFC 7516, PBES2-HS256+A128KW (RFC 7518 section 4.8) and A256GCM. */
import { createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { z } from 'zod';

/** Iterations that we are willing to do: what is asked comes from outside, and 600,000 are usual. */
const ITERATIONS_MAX = 5_000_000;
const TEXT_MAX = 16_384;
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6);

const header = z.object({
  alg: z.literal('PBES2-HS256+A128KW'),
  enc: z.literal('A256GCM'),
  p2c: z.number().int().min(1000).max(ITERATIONS_MAX),
  p2s: z.string().min(11).max(1024),
});

/** The same in JSON (RFC 7516 section 7.2.2), as `step crypto` writes it into files. */
const flattened = z.object({
  protected: z.string(),
  encrypted_key: z.string(),
  iv: z.string(),
  ciphertext: z.string(),
  tag: z.string(),
});

export interface SealedKey {
  /** The protected header as it was written: it is authenticated in this form. */
  readonly header: string;
  readonly algorithm: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly encryptedKey: Uint8Array;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

/** Reads either form. Error: `input.invalid`; the message repeats nothing of the text. */
export function parseJwe(text: string): Result<SealedKey> {
  if (text.length > TEXT_MAX) return err(wrong('it is too long'));
  const parts = partsOf(text.trim());
  if (parts?.length !== 5) return err(wrong('it has not the five parts of one'));
  const [protectedHeader, encryptedKey, iv, ciphertext, tag] = parts.map(bytesOf);
  if (!protectedHeader || !encryptedKey || !iv || !ciphertext || !tag) return err(wrong('a part is not base64url'));
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(protectedHeader));
  } catch {
    return err(wrong('its header is not JSON'));
  }
  const read = header.safeParse(json);
  if (!read.success)
    return err(wrong(`its header must say PBES2-HS256+A128KW, A256GCM and at most ${ITERATIONS_MAX} iterations`));
  const salt = bytesOf(read.data.p2s);
  if (salt === null || salt.length < 8) return err(wrong('its salt is too short'));
  if (encryptedKey.length !== 40 || iv.length !== 12 || tag.length !== 16)
    return err(wrong('a part has a wrong length'));
  const { alg: algorithm, p2c: iterations } = read.data;
  return ok({ header: parts[0]!, algorithm, iterations, salt, encryptedKey, iv, ciphertext, tag });
}

/** What is inside. Error: `input.invalid` when the password is another one. */
export async function openJwe(sealed: SealedKey, password: string): Promise<Result<string>> {
  const salt = Buffer.concat([Buffer.from(`${sealed.algorithm}\0`, 'ascii'), sealed.salt]);
  const wrappingKey = await promisify(pbkdf2)(password, salt, sealed.iterations, 16, 'sha256');
  try {
    const unwrap = createDecipheriv('aes128-wrap', wrappingKey, KEY_WRAP_IV);
    const contentKey = Buffer.concat([unwrap.update(sealed.encryptedKey), unwrap.final()]);
    const open = createDecipheriv('aes-256-gcm', contentKey, sealed.iv);
    open.setAAD(Buffer.from(sealed.header, 'ascii'));
    open.setAuthTag(sealed.tag);
    return ok(Buffer.concat([open.update(sealed.ciphertext), open.final()]).toString('utf8'));
  } catch {
    return err(problem('input.invalid', 'the password is not the one of this key'));
  }
}

function partsOf(text: string): string[] | null {
  if (!text.startsWith('{')) return text.split('.');
  try {
    const read = flattened.safeParse(JSON.parse(text));
    if (!read.success) return null;
    return [read.data.protected, read.data.encrypted_key, read.data.iv, read.data.ciphertext, read.data.tag];
  } catch {
    return null;
  }
}

function bytesOf(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text, { alphabet: 'base64url' });
  } catch {
    return null;
  }
}

function wrong(why: string): Problem {
  return problem('input.invalid', `this is not an encrypted key (JWE): ${why}`);
}
