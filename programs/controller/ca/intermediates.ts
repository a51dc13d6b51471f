/**
 * The embedded authority's intermediates, one that issues and those before it. Files of `DIR/ca`:
 *   intermediate.pem        key and certificate of the one that issues
 *   intermediate-next.pem   its successor, while a rotation is under way: whoever finds it finishes the rotation
 *   retired-<unix ms>.pem   certificate alone, believed until then; its key is gone
 * A rotation writes the successor, then the retired certificate, then renames the successor into place. A crash before the first write
 * changes nothing, one after it is made good at the next start; gateways know the root, so both chains hold all the time.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { X509Certificate } from '@peculiar/x509';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { type Issuer, issueIntermediate, readIssuer } from './issue.ts';
import type { IssuerBook } from './issuer-book.ts';
import { corrupt, generateKeyPair, pemBlock, pemOf } from './keys.ts';
import { GATEWAY_MS, GRACE_MS, type TrustedIssuer } from './provider.ts';

const DAY_MS = 24 * 3_600_000;
const INTERMEDIATE_MS = 1825 * DAY_MS;
/** There is a new intermediate when less than this is left of the present one, ms. */
const ROTATE_MS = 365 * DAY_MS;
/** What it has signed can be shown, ended, for the whole grace; a day more for clocks. ms. */
const RETIRED_MS = GATEWAY_MS + GRACE_MS + DAY_MS;

interface Retired {
  readonly path: string;
  readonly pem: string;
  readonly untilUnixMs: number;
}

/** Where other controllers look for intermediates that they should believe. */
type Publishing = Pick<IssuerBook, 'publish'>;

export class Intermediates {
  readonly #folder: string;
  readonly #root: Issuer;
  readonly #unixMs: () => number;
  readonly #book: Publishing | null;
  #active: Issuer;
  #retired: Retired[];
  #turn: Promise<void> = Promise.resolve();

  private constructor(folder: string, root: Issuer, active: Issuer, unixMs: () => number, book: Publishing | null) {
    this.#book = book;
    this.#folder = folder;
    this.#root = root;
    this.#active = active;
    this.#unixMs = unixMs;
    this.#retired = readRetired(folder);
  }

  /** Opens them, makes the first one, and finishes a rotation that was cut off. Throws ProblemError `data.corrupt`. */
  static async open(
    folder: string,
    root: Issuer,
    unixMs: () => number,
    book: Publishing | null = null,
  ): Promise<Intermediates> {
    const path = join(folder, 'intermediate.pem');
    if (!existsSync(path)) await writeIssuer(path, root, unixMs());
    const active = await readIssuer(path, readFileSync(path, 'utf8'));
    const intermediates = new Intermediates(folder, root, active, unixMs, book);
    for (const { pem, trustedUntilUnixMs } of intermediates.trusted()) await book?.publish(pem, trustedUntilUnixMs);
    if (existsSync(intermediates.#nextPath)) await intermediates.#finish();
    return intermediates;
  }

  /** The one that issues; rotates first when it is old. */
  async active(): Promise<Issuer> {
    if (this.#active.certificate.notAfter.getTime() - this.#unixMs() < ROTATE_MS) await this.rotate();
    return this.#active;
  }

  trusted(): TrustedIssuer[] {
    const now = this.#unixMs();
    const { certificate } = this.#active;
    return [
      { pem: pemOf(certificate), active: true, trustedUntilUnixMs: certificate.notAfter.getTime() },
      ...this.#retired
        .filter((one) => one.untilUnixMs > now)
        .map(({ pem, untilUnixMs }) => ({ pem, active: false, trustedUntilUnixMs: untilUnixMs })),
    ];
  }

  /** Who asks while another one's rotation is under way gets that one's. */
  rotate(): Promise<void> {
    const before = this.#active;
    const turn = this.#turn.then(async () => {
      if (this.#active !== before) return;
      await writeIssuer(this.#nextPath, this.#root, this.#unixMs());
      await this.#finish();
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  get #nextPath(): string {
    return join(this.#folder, 'intermediate-next.pem');
  }

  async #finish(): Promise<void> {
    const next = await readIssuer(this.#nextPath, readFileSync(this.#nextPath, 'utf8'));
    // Before it issues anything, all that may be shown it know it.
    await this.#book?.publish(pemOf(next.certificate), next.certificate.notAfter.getTime());
    const pem = pemOf(this.#active.certificate);
    // Cut off between the two, it is there already.
    if (!this.#retired.some((one) => one.pem === pem)) {
      const path = join(this.#folder, `retired-${this.#unixMs() + RETIRED_MS}.pem`);
      await writeFileDurably(path, pem, 0o600);
    }
    await rename(this.#nextPath, join(this.#folder, 'intermediate.pem'));
    await syncFolder(this.#folder);
    this.#active = next;
    this.#retired = readRetired(this.#folder);
    for (const one of this.#retired) await this.#book?.publish(one.pem, one.untilUnixMs);
    await this.#forget();
  }

  /** Removes what nothing can depend on any more. */
  async #forget(): Promise<void> {
    for (const { path, untilUnixMs } of this.#retired)
      if (untilUnixMs <= this.#unixMs()) await rm(path, { force: true });
  }
}

async function writeIssuer(path: string, root: Issuer, nowUnixMs: number): Promise<void> {
  const pair = await generateKeyPair();
  const subject = {
    commonName: 'vrouter intermediate',
    publicKey: pair.keys.publicKey,
    lifetimeMs: INTERMEDIATE_MS,
    nowUnixMs,
  };
  const certificate = await issueIntermediate(subject, root);
  await writeFileDurably(path, pair.privateKeyPem + pemOf(certificate), 0o600);
}

function readRetired(folder: string): Retired[] {
  return readdirSync(folder).flatMap((name) => {
    const untilUnixMs = Number(/^retired-(\d{1,16})\.pem$/.exec(name)?.[1]);
    if (Number.isNaN(untilUnixMs)) return [];
    const path = join(folder, name);
    const block = pemBlock(readFileSync(path, 'utf8'), 'CERTIFICATE');
    if (block === null) throw corrupt(path);
    return [{ path, pem: pemOf(new X509Certificate(block)), untilUnixMs }];
  });
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
