/**
 * The kernel's WireGuard: a link that has a private key is a device of ours, and its peers are. The kernel tells all of a device or nothing,
 * so a device that a batch touches is read once before it and once after.
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
  WIREGUARD_FAMILY,
  type WireguardEndpoint,
} from '../netlink/wireguard.ts';
import { type Part, toldOf } from '../part.ts';

const ZEROS = new Uint8Array(32);

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
        const device = await this.#look(row);
        if (device === null) continue;
        const rows = [this.#seeDevice(link, row, device), ...device.peers.map((peer) => this.#seePeer(link, peer))];
        for (const found of rows) if (found !== null && wanted?.has(found.key) !== false) seen.push(found);
      }
    return seen;
  }

  async apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    const known = new Map<string, DeviceRow | null>();
    const problems: (Problem | null)[] = [];
    for (const step of steps) {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind !== 'wireguardDevice' && object.kind !== 'wireguardPeer')
        throw new TypeError(`${object.kind} is not of WireGuard`);
      problems.push(await this.#do(step, object, known));
    }
    return toldOf(this, steps, problems);
  }

  /** What is learnt of every peer. */
  async facts(): Promise<PeerFacts[]> {
    const facts: PeerFacts[] = [];
    for (const [link, row] of this.#links())
      for (const peer of (await this.#look(row))?.peers ?? [])
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

  async #do(
    step: Step,
    object: WireguardDeviceObject | WireguardPeerObject,
    known: Map<string, DeviceRow | null>,
  ): Promise<Problem | null> {
    const row = this.#kernel.links.of(object.link);
    if (row === undefined || row.kind !== 'wireguard') {
      if (step.op === 'delete') return null;
      return problem('object.dependency', `the WireGuard link ${object.link} is not there`, 'link');
    }
    const device = known.has(object.link) ? known.get(object.link)! : await this.#look(row);
    if (object.kind === 'wireguardDevice') {
      const failed = await this.#setDevice(step, object, row, device);
      known.delete(object.link);
      return failed;
    }
    known.set(object.link, device);
    if (device?.privateKey == null) {
      if (step.op === 'delete') return null;
      return problem('object.dependency', `WireGuard on ${object.link} is not set up`, 'link');
    }
    const change = peerChange(step, object, device);
    const failed = 'code' in change ? change : await this.#change(row, { peers: [change] }, step.key);
    if (failed === null && step.op === 'create') known.delete(object.link);
    return failed;
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

  async #look(row: LinkRow): Promise<DeviceRow | null> {
    const family = await this.#id();
    const parts = await this.#generic.dump(askDevice(family, row.index), row.name, (message) =>
      parseDevice(message, family),
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

/** What the kernel is told of a peer. Its endpoint is its own as soon as it is there, unless an update names it. */
function peerChange(step: Step, object: WireguardPeerObject, device: DeviceRow): PeerChange | Problem {
  const publicKey = parseKey(object.publicKey, 'publicKey');
  if (!publicKey.ok) return publicKey.error;
  if (step.op === 'delete') return { publicKey: publicKey.value, remove: true, updateOnly: true };
  const isThere = device.peers.some((peer) => Buffer.compare(peer.publicKey, publicKey.value) === 0);
  const saysEndpoint = step.op === 'create' ? !isThere : step.changed.includes('endpoint');
  const endpoint = object.endpoint === null || !saysEndpoint ? null : endpointOf(object.endpoint);
  const allowedIps: Prefix[] = [];
  for (const text of object.allowedIps) {
    const parsed = parsePrefix(text, 'allowedIps');
    if (!parsed.ok) return parsed.error;
    allowedIps.push(parsed.value);
  }
  const saysKey = step.op === 'create' || step.changed.includes('presharedKey');
  return {
    publicKey: publicKey.value,
    allowedIps,
    replaceAllowedIps: true,
    keepalive: object.persistentKeepalive,
    ...(saysKey ? { presharedKey: object.presharedKey === null ? ZEROS : reveal(object.presharedKey) } : {}),
    ...(endpoint === null ? {} : { endpoint }),
  };
}

const textOf = ({ address, port }: WireguardEndpoint): string => makeEndpoint(address, port).text;

function endpointOf(text: string): WireguardEndpoint | null {
  const parsed = parseEndpoint(text, 'endpoint');
  return parsed.ok ? { address: parsed.value.address, port: parsed.value.port } : null;
}

function reveal(secret: Secret | SecretFingerprint): Uint8Array {
  if (secret instanceof Secret) return secret.reveal();
  throw new TypeError('a step carries a fingerprint where the key itself is needed');
}
