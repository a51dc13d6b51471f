/**
 * The kernel's WireGuard: a link that has a private key is a device of ours, and its peers are. The kernel tells all of a device or nothing,
 * so a device that a batch touches is read once before it and once after, and of its peers only those that the batch is about.
 */
import { formatKey, parseKey } from '@vrouter/core/bytes.ts';
import { makeEndpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { Secret, type SecretFingerprint } from '@vrouter/core/secret.ts';
import {
  type ObjectKey,
  type Observed,
  objectKey,
  type WireguardDeviceObject,
  type WireguardPeerObject,
} from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { PeerFacts } from '../../contract/counters.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { type Mark, markText } from '../links/mark.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { askFamily, parseFamily } from '../netlink/generic.ts';
import { changeLink, type LinkRow } from '../netlink/link.ts';
import { Errno, refusalProblem } from '../netlink/refusal.ts';
import {
  askDevice,
  changeDevice,
  type DeviceChange,
  type DeviceRow,
  joinDevice,
  type PeerChange,
  type PeerRow,
  parseDevice,
  peerName,
  WIREGUARD_FAMILY,
  type WireguardEndpoint,
} from '../netlink/wireguard.ts';
import { type Part, toldOf } from '../part.ts';

const ZEROS = new Uint8Array(32);
const NOBODY: ReadonlySet<string> = new Set();
/** Seconds. */
const MOST_KEEPALIVE = 65535;

export class WireguardDevices implements Part {
  readonly kinds = ['wireguardDevice', 'wireguardPeer'] as const;
  readonly #kernel: Kernel;
  readonly #generic: Conversation;
  readonly #fingerprint: (bytes: Uint8Array) => string;
  #family: number | null = null;

  /** `fingerprint` makes that of a Secret. */
  constructor(kernel: Kernel, generic: Conversation, fingerprint: (bytes: Uint8Array) => string) {
    this.#kernel = kernel;
    this.#generic = generic;
    this.#fingerprint = fingerprint;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const wanted = scope === 'all' ? null : new Set<string>(scope);
    const names = wanted === null ? null : new Set([...wanted].map((key) => key.split('/')[1]));
    const seen: Observed[] = [];
    for (const [link, row] of this.#links())
      if (names?.has(link) !== false) {
        const device = await this.#look(row, wanted === null ? null : keysOf(wanted, link));
        if (device === null) continue;
        const rows = [this.#seeDevice(link, row, device), ...device.peers.map((peer) => this.#seePeer(link, peer))];
        for (const found of rows) if (found !== null && wanted?.has(found.key) !== false) seen.push(found);
      }
    return seen;
  }

  async apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    const problems: (Problem | null)[] = [];
    for (let at = 0; at < steps.length; ) {
      const { kind, link } = objectOf(steps[at]!);
      let end = at + 1;
      while (kind === 'wireguardPeer' && end < steps.length && isPeerOf(objectOf(steps[end]!), link)) end++;
      const run = steps.slice(at, end);
      problems.push(...(kind === 'wireguardPeer' ? await this.#doPeers(link, run) : [await this.#doDevice(run[0]!)]));
      at = end;
    }
    return toldOf(this, steps, problems);
  }

  /** What is learnt of every peer. */
  async facts(): Promise<PeerFacts[]> {
    const facts: PeerFacts[] = [];
    for (const [link, row] of this.#links())
      for (const peer of (await this.#look(row, null))?.peers ?? [])
        facts.push({
          link,
          publicKey: formatKey(peer.publicKey),
          endpoint: peer.endpoint === null ? null : textOf(peer.endpoint),
          lastHandshakeUnixMs: peer.lastHandshakeUnixMs,
          handshakeTimestamp: null,
          rxBytes: peer.rxBytes,
          txBytes: peer.txBytes,
          rxPackets: 0,
          txPackets: 0,
        });
    return facts;
  }

  *#links(): Generator<[string, LinkRow]> {
    for (const [name, row] of this.#kernel.links.ours()) if (row.kind === 'wireguard') yield [name, row];
  }

  async #doDevice(step: Step): Promise<Problem | null> {
    const object = objectOf(step) as WireguardDeviceObject;
    const row = this.#rowOf(object.link);
    if (row === undefined) return step.op === 'delete' ? null : noLink(object.link);
    return this.#setDevice(step, object, row, await this.#look(row, NOBODY));
  }

  /** Steps of peers of one device, all in one go: each is a request of its own, so that each has its own answer. */
  async #doPeers(link: string, steps: readonly Step[]): Promise<readonly (Problem | null)[]> {
    const row = this.#rowOf(link);
    const keys = keysOf(new Set<string>(steps.map(({ key }) => key)), link);
    const device = row === undefined ? null : await this.#look(row, keys);
    if (row === undefined || device?.privateKey == null) {
      const missing = row === undefined ? noLink(link) : notSetUp(link);
      return steps.map(({ op }) => (op === 'delete' ? null : missing));
    }
    const there = new Set(device.peers.map(({ publicKey }) => formatKey(publicKey)));
    const problems: (Problem | null)[] = [];
    const requests: Uint8Array[] = [];
    /** Of each request, whose it is. */
    const owners: number[] = [];
    for (const [index, step] of steps.entries()) {
      const object = objectOf(step) as WireguardPeerObject;
      const changes = peerChanges(step, object, there.has(object.publicKey));
      problems.push('code' in changes ? changes : null);
      if ('code' in changes) continue;
      if (step.op === 'delete') there.delete(object.publicKey);
      else there.add(object.publicKey);
      for (const change of changes)
        for (const request of changeDevice(await this.#id(), row.index, { peers: [change] })) {
          requests.push(request);
          owners.push(index);
        }
    }
    for (const [n, refusal] of (await this.#generic.change(requests)).entries())
      if (refusal !== null) problems[owners[n]!] ??= refusalProblem(refusal, steps[owners[n]!]!.key);
    return problems;
  }

  #rowOf(link: string): LinkRow | undefined {
    const row = this.#kernel.links.of(link);
    return row?.kind === 'wireguard' ? row : undefined;
  }

  async #setDevice(
    step: Step,
    object: WireguardDeviceObject,
    row: LinkRow,
    device: DeviceRow | null,
  ): Promise<Problem | null> {
    if (step.op === 'delete')
      return this.#change(row, { privateKey: ZEROS, listenPort: 0, replacePeers: true }, step.key);
    const mark = this.#kernel.links.markOf(row) ?? { link: object.link, ownMac: false, anyPort: false };
    const isNew = device?.privateKey == null;
    const change: { -readonly [F in keyof DeviceChange]: DeviceChange[F] } = {};
    const secret = object.privateKey;
    if (isNew || this.#fingerprint(device.privateKey!) !== secret.fingerprint) change.privateKey = reveal(secret);
    const anyPort = object.listenPort === 0;
    if (anyPort ? isNew || !mark.anyPort : device?.listenPort !== object.listenPort)
      change.listenPort = object.listenPort;
    const failed = Object.keys(change).length === 0 ? null : await this.#change(row, change, step.key);
    if (failed !== null || mark.anyPort === anyPort) return failed;
    return this.#remark(row, { ...mark, anyPort });
  }

  async #remark(row: LinkRow, mark: Mark): Promise<Problem | null> {
    const failed = await this.#kernel.do([changeLink(row.index, { alias: markText(mark) })], row.name);
    if (failed === null) this.#kernel.made.note(row, mark);
    await this.#kernel.links.look(row.name);
    return failed;
  }

  async #change(row: LinkRow, change: DeviceChange, what: string): Promise<Problem | null> {
    const requests = changeDevice(await this.#id(), row.index, change);
    const refusals = await this.#generic.change(requests);
    const refusal = refusals.find((one) => one !== null) ?? null;
    if (refusal === null) return null;
    if (refusal.errno === Errno.EADDRINUSE)
      return problem('port.inUse', `another program has UDP port ${change.listenPort}`, 'listenPort');
    return refusalProblem(refusal, what);
  }

  /** `keys`: of the peers that are of interest; null: all are. */
  async #look(row: LinkRow, keys: ReadonlySet<string> | null): Promise<DeviceRow | null> {
    const family = await this.#id();
    const parts = await this.#generic.dump(askDevice(family, row.index), row.name, (message) =>
      parseDevice(message, family, keys),
    );
    return joinDevice(parts);
  }

  /** Throws ProblemError when this kernel has no WireGuard. */
  async #id(): Promise<number> {
    this.#family ??= await this.#generic.get(askFamily(WIREGUARD_FAMILY), "the kernel's WireGuard", parseFamily);
    return this.#family ?? 0;
  }

  #seeDevice(link: string, row: LinkRow, device: DeviceRow): Observed | null {
    if (device.privateKey === null) return null;
    const anyPort = this.#kernel.links.markOf(row)?.anyPort === true;
    const privateKey = { fingerprint: this.#fingerprint(device.privateKey) };
    const object = {
      kind: 'wireguardDevice',
      link,
      listenPort: anyPort ? 0 : device.listenPort,
      privateKey,
    } as const;
    const publicKey = device.publicKey === null ? null : formatKey(device.publicKey);
    return { key: objectKey(object), object, learned: { publicKey, localPort: device.listenPort } };
  }

  #seePeer(link: string, peer: PeerRow): Observed {
    const endpoint = peer.endpoint === null ? null : textOf(peer.endpoint);
    const object: WireguardPeerObject = {
      kind: 'wireguardPeer',
      link,
      publicKey: formatKey(peer.publicKey),
      presharedKey: peer.presharedKey === null ? null : { fingerprint: this.#fingerprint(peer.presharedKey) },
      allowedIps: peer.allowedIps.map(formatPrefix).sort(),
      endpoint,
      persistentKeepalive: peer.keepalive,
    };
    const { lastHandshakeUnixMs, rxBytes, txBytes } = peer;
    const unknown = { handshakeTimestamp: null, pathMtu: null, rxPackets: null, txPackets: null };
    return { key: objectKey(object), object, learned: { endpoint, lastHandshakeUnixMs, rxBytes, txBytes, ...unknown } };
  }
}

/**
 * What the kernel is told of a peer. Its endpoint is its own as soon as it is there, unless an update names it. One that is made with an
 * endpoint is greeted, since it may hold a session that this kernel does not know: with keepalives switched on the kernel sends one at
 * once, and before that shakes hands.
 */
function peerChanges(step: Step, object: WireguardPeerObject, isThere: boolean): PeerChange[] | Problem {
  const publicKey = parseKey(object.publicKey, 'publicKey');
  if (!publicKey.ok) return publicKey.error;
  if (step.op === 'delete') return [{ publicKey: publicKey.value, remove: true, updateOnly: true }];
  const saysEndpoint = step.op === 'create' ? !isThere : step.changed.includes('endpoint');
  const endpoint = object.endpoint === null || !saysEndpoint ? null : endpointOf(object.endpoint);
  const allowedIps: Prefix[] = [];
  for (const text of object.allowedIps) {
    const parsed = parsePrefix(text, 'allowedIps');
    if (!parsed.ok) return parsed.error;
    allowedIps.push(parsed.value);
  }
  const saysKey = step.op === 'create' || step.changed.includes('presharedKey');
  const keepalive = object.persistentKeepalive;
  const greets = step.op === 'create' && endpoint !== null && keepalive === 0;
  const change: PeerChange = {
    publicKey: publicKey.value,
    allowedIps,
    replaceAllowedIps: true,
    keepalive: greets ? MOST_KEEPALIVE : keepalive,
    ...(saysKey ? { presharedKey: object.presharedKey === null ? ZEROS : reveal(object.presharedKey) } : {}),
    ...(endpoint === null ? {} : { endpoint }),
  };
  return greets ? [change, { publicKey: publicKey.value, updateOnly: true, keepalive }] : [change];
}

function objectOf(step: Step): WireguardDeviceObject | WireguardPeerObject {
  const object = step.op === 'delete' ? step.before : step.object;
  if (object.kind === 'wireguardDevice' || object.kind === 'wireguardPeer') return object;
  throw new TypeError(`${object.kind} is not of WireGuard`);
}

const isPeerOf = ({ kind, link: of }: ReturnType<typeof objectOf>, link: string): boolean =>
  kind === 'wireguardPeer' && of === link;

/** Public keys of the peers of a link that these objects are. */
function keysOf(wanted: ReadonlySet<string>, link: string): ReadonlySet<string> {
  const prefix = `wireguardPeer/${link}/`;
  const keys = new Set<string>();
  for (const key of wanted) {
    const parsed = key.startsWith(prefix) ? parseKey(key.slice(prefix.length), 'publicKey') : null;
    if (parsed?.ok === true) keys.add(peerName(parsed.value));
  }
  return keys;
}

const noLink = (link: string): Problem =>
  problem('object.dependency', `the WireGuard link ${link} is not there`, 'link');
const notSetUp = (link: string): Problem => problem('object.dependency', `WireGuard on ${link} is not set up`, 'link');

const textOf = ({ address, port }: WireguardEndpoint): string => makeEndpoint(address, port).text;

function endpointOf(text: string): WireguardEndpoint | null {
  const parsed = parseEndpoint(text, 'endpoint');
  return parsed.ok ? { address: parsed.value.address, port: parsed.value.port } : null;
}

function reveal(secret: Secret | SecretFingerprint): Uint8Array {
  if (secret instanceof Secret) return secret.reveal();
  throw new TypeError('a step carries a fingerprint where the key itself is needed');
}
