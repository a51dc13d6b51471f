/** What was done as it was said, and will surprise all the same. */
import type { Applied } from '@vrouter/drivers/contract/driver.ts';
import type { Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import { coveredAddresses } from './covered.ts';
import { quietingOf } from './quiet.ts';

export interface Warning {
  /** Of the object. */
  readonly key: string;
  readonly text: string;
  /** For the log. */
  readonly facts: { readonly [name: string]: string };
}

/** `observed`: all that the plane has. */
export function* warningsOf(
  steps: readonly Step[],
  results: readonly Applied[],
  observed: Iterable<Observed>,
): Generator<Warning> {
  yield* covered(steps, observed);
  yield* loud(results);
}

/** wg takes an allowed IP that is an address of our own, and so do we; but what goes there never reaches the peer. */
function* covered(steps: readonly Step[], observed: Iterable<Observed>): Generator<Warning> {
  const said = steps.map((step) => (step.op === 'delete' ? null : step.object));
  const peers = said.filter((object) => object?.kind === 'wireguardPeer');
  if (peers.length === 0) return;
  for (const { key, publicKey, allowedIp, link } of coveredAddresses(peers, observed)) {
    const text = `${allowedIp} is an address of this gateway: packets to it end here and do not reach the peer`;
    yield { key, text, facts: { link, peer: publicKey, allowedIp } };
  }
}

/** The machine's kernel hears what a port hears, and is not to answer: see the README. */
function* loud(results: readonly Applied[]): Generator<Warning> {
  for (const { ok, now } of results) {
    // Beside a VLAN the device may well be the machine's own: the kernel takes no tagged frames there.
    if (!ok || now?.object.kind !== 'link' || now.object.type !== 'port' || now.object.vlanId != null) continue;
    const { name: link, device = '' } = now.object;
    const settings = quietingOf(device);
    if (settings.length === 0) continue;
    const text = `the kernel of this machine also takes what comes in at ${device}; as root: sysctl ${settings.join(' ')}`;
    yield { key: `link/${link}`, text, facts: { link, device } };
  }
}
