import { formatPrefix, networkOf, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { AddressIntent } from '../model/intents.ts';
import type { PlaneObject } from '../model/objects.ts';
import { IPV6_MTU_MIN } from '../validate/intent.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { noInterface } from './missing.ts';

/** The address, and the route to its network. A /32 or /128 has no network beside itself; planes know their own addresses. */
export function compileAddress(intent: AddressIntent, context: CompileContext): Compiled {
  const link = intent.interface;
  const on = context.anyInterface(link);
  if (on === null) return pending(noInterface(link));
  const parsed = parseInterfaceAddress(intent.address, 'address');
  if (!parsed.ok) return pending(parsed.error);
  if (parsed.value.address.length === 16 && !on.carriesIpv6) return pending(tooSmall(link));
  const objects: PlaneObject[] = [{ kind: 'address', link, address: intent.address }];
  if (parsed.value.bits < parsed.value.address.length * 8)
    objects.push({
      kind: 'route',
      vrf: on.vrf,
      prefix: formatPrefix(networkOf(parsed.value)),
      via: { type: 'link', link, nextHop: null },
    });
  return { objects, problems: [], usable: true };
}

/** RFC 8200 section 5; the kernel has no IPv6 on such an interface either. */
function tooSmall(link: string): Problem {
  const what = `IPv6 needs an MTU of ${IPV6_MTU_MIN} or more, and ${link} has less; raise "mtu" there, or leave the address out`;
  return problem('input.invalid', what, 'address');
}
