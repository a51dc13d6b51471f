/**
 * Any bytes as each request: they are no message, or a call that changes what was said into something that a start would read again, or a refusal
 * that a log can bear. Whole states come of it, since what one call leaves is there for the next.
 */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import * as pb from '@vrouter/api/router/gen/router_pb.ts';
import type { Result } from '@vrouter/core/result.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import { sameValue } from '@vrouter/intent/model/same.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { RouterChange, Said } from './intents.ts';
import { configureNames } from './names.ts';
import { addPort, removePort } from './ports.ts';
import { backOf } from './service.ts';
import { RouterState } from './state.ts';
import { configureNat, createVlan, deleteVlan, removeNat } from './vlan.ts';
import { sentence } from './words.ts';

export const name = 'vrouterd/router-request';

/** Reads a request, and gives what it would change. Throws when the bytes are no message. */
type Call = (bytes: Uint8Array) => (state: RouterState) => Result<RouterChange>;

function call<S extends DescMessage>(
  schema: S,
  plan: (state: RouterState, request: MessageShape<S>) => Result<RouterChange>,
): Call {
  return (bytes) => {
    const request = fromBinary(schema, bytes);
    return (state) => plan(state, request);
  };
}

const calls: readonly Call[] = [
  call(pb.CreateVLANRequestSchema, (state, request) => createVlan(state, request, () => 'eth0')),
  call(pb.DeleteVLANRequestSchema, (state, { vlanId }) => ({ ok: true, value: deleteVlan(state, vlanId) })),
  call(pb.ConfigureNATRequestSchema, configureNat),
  call(pb.RemoveNATRequestSchema, removeNat),
  call(pb.ConfigureDNSRequestSchema, configureNames),
  call(pb.AddPortMappingRequestSchema, addPort),
  call(pb.RemovePortMappingRequestSchema, removePort),
];

function seed(index: number, message: Uint8Array): Uint8Array {
  return Uint8Array.of(index, ...message);
}

const vlan = { vlanId: 101, subnet: '172.18.0.0/16', gateway: '172.18.0.1', networkName: 'blue', mtu: 1400 };
const sources = { vlanId: 100, sourceSubnet: '10.0.0.0/24' };
const port = { containerIp: '10.0.0.2', containerPort: 80, hostPort: 81, protocol: 'TCP', vlanId: 100 };

/** The number of a call, and its request. */
export const seeds: readonly Uint8Array[] = [
  seed(0, toBinary(pb.CreateVLANRequestSchema, create(pb.CreateVLANRequestSchema, vlan))),
  seed(
    0,
    toBinary(
      pb.CreateVLANRequestSchema,
      create(pb.CreateVLANRequestSchema, { ...vlan, subnet: 'fd18::/64', gateway: 'fd18::1' }),
    ),
  ),
  seed(
    0,
    toBinary(
      pb.CreateVLANRequestSchema,
      create(pb.CreateVLANRequestSchema, { ...vlan, vlanId: 100, enableNat: false }),
    ),
  ),
  seed(1, toBinary(pb.DeleteVLANRequestSchema, create(pb.DeleteVLANRequestSchema, { vlanId: 100 }))),
  seed(2, toBinary(pb.ConfigureNATRequestSchema, create(pb.ConfigureNATRequestSchema, sources))),
  seed(3, toBinary(pb.RemoveNATRequestSchema, create(pb.RemoveNATRequestSchema, sources))),
  seed(
    4,
    toBinary(
      pb.ConfigureDNSRequestSchema,
      create(pb.ConfigureDNSRequestSchema, { vlanId: 100, domain: 'lan', hosts: { web: '10.0.0.2' } }),
    ),
  ),
  seed(5, toBinary(pb.AddPortMappingRequestSchema, create(pb.AddPortMappingRequestSchema, port))),
  seed(
    6,
    toBinary(
      pb.RemovePortMappingRequestSchema,
      create(pb.RemovePortMappingRequestSchema, { hostPort: 80, protocol: 'udp' }),
    ),
  ),
];

/** A VLAN with a name, a port and a rule. */
const before: readonly Said[] = applied(
  [],
  [
    seed(
      0,
      toBinary(
        pb.CreateVLANRequestSchema,
        create(pb.CreateVLANRequestSchema, { ...vlan, vlanId: 100, subnet: '10.0.0.0/24', gateway: '10.0.0.1' }),
      ),
    ),
    seeds[6]!,
    seed(
      5,
      toBinary(
        pb.AddPortMappingRequestSchema,
        create(pb.AddPortMappingRequestSchema, { ...port, hostPort: 80, protocol: 'udp' }),
      ),
    ),
    seed(
      2,
      toBinary(
        pb.ConfigureNATRequestSchema,
        create(pb.ConfigureNATRequestSchema, { vlanId: 100, sourceSubnet: '10.50.0.0/16' }),
      ),
    ),
  ],
);

export function fuzzOne(bytes: Uint8Array): void {
  applied(before, [bytes]);
}

function applied(said: readonly Said[], requests: readonly Uint8Array[]): readonly Said[] {
  let now = said;
  for (const bytes of requests) now = one(now, bytes);
  return now;
}

function one(said: readonly Said[], bytes: Uint8Array): readonly Said[] {
  const state = new RouterState(said);
  let plan: ReturnType<Call>;
  try {
    plan = calls[(bytes[0] ?? 0) % calls.length]!(bytes.subarray(1));
  } catch {
    // No message: gRPC answers that.
    return said;
  }
  const change = plan(state);
  if (!change.ok) {
    const text = sentence(change.error);
    if (!/^[ -~]{1,800}$/.test(text)) throw new Error(`no log can bear ${JSON.stringify(text)}`);
    return said;
  }
  for (const { intent } of change.value.put) {
    const again = parseIntent(intent);
    if (!again.ok) throw new Error(`a start would not read ${JSON.stringify(intent)}: ${again.error.message}`);
    if (!sameValue(again.value, intent)) throw new Error(`${JSON.stringify(intent)} would be read as another`);
  }
  const after = merged(said, change.value);
  const back = merged(after, backOf(state, change.value));
  if (JSON.stringify(sorted(back)) !== JSON.stringify(sorted(said))) throw new Error('taken back, it is not as before');
  return after;
}

function merged(said: readonly Said[], { put, remove }: RouterChange): readonly Said[] {
  const all = new Map<IntentKey, Said>(said.map((each) => [intentKey(each.intent), each]));
  for (const each of put) all.set(intentKey(each.intent), each);
  for (const key of remove) all.delete(key);
  return [...all.values()];
}

function sorted(said: readonly Said[]): readonly Said[] {
  return [...said].sort((a, b) => (intentKey(a.intent) < intentKey(b.intent) ? -1 : 1));
}
