/** Options of `network create`, and the intent that they come to. */
import { createHash } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { list, whole } from '../arguments.ts';
import { Failure } from '../failure.ts';

/** Characters of an interface's name (IFNAMSIZ without the zero). */
const INTERFACE_MAX = 15;

export interface CreateOptions {
  readonly subnet?: readonly Subnet[];
  readonly vlan?: string;
  readonly bridge?: string;
  readonly mtu?: number;
  readonly nat: boolean;
  readonly internal?: boolean;
  readonly dns: boolean;
  readonly domain?: string;
  readonly dnsServer?: readonly string[];
}

interface Subnet {
  readonly prefix: string;
  readonly gateway?: string;
}

export function createOptions(command: Command): Command {
  return command
    .option(
      '--subnet <cidr[,gateway]>',
      'a subnet, IPv4 or IPv6, several times for several; the gateway is its first address. Default: the first free one of 172.18.0.0/16 to 172.31.0.0/16 and 192.168.0.0/20 to 192.168.240.0/20',
      subnet,
    )
    .option('--bridge <name>', 'name of the bridge that is made; default: br-ID')
    .option('--vlan <parent:id>', 'no bridge: whoever is in this VLAN of an interface of the host')
    .option('--mtu <bytes>', 'default: that of the parent, or 1500', whole(576, 9216))
    .option('--no-nat', 'addresses leave as they are: somebody outside knows the way back')
    .option('--internal', 'nothing in or out but to the gateway itself')
    .option('--no-dns', 'the gateway answers no names')
    .option('--domain <name>', 'names are below it, too')
    .option('--dns-server <address>', 'who is asked for other names; default: whom the host asks', list);
}

export function networkOf(id: string, options: CreateOptions): { [name: string]: unknown } {
  const { mtu, domain, dnsServer, subnet: subnets } = options;
  return {
    kind: 'network',
    id,
    ...placeOf(id, options),
    ...(subnets === undefined ? {} : { subnets }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(domain === undefined ? {} : { domain }),
    ...(dnsServer === undefined ? {} : { dnsServers: dnsServer }),
    nat: options.nat,
    internal: options.internal === true,
    dns: options.dns,
  };
}

function placeOf(id: string, { vlan, bridge }: CreateOptions): { [name: string]: unknown } {
  if (vlan === undefined) return { attachment: 'bridged', interface: bridge ?? interfaceName('br-', id) };
  if (bridge !== undefined)
    throw new Failure('usage', 'a network is a VLAN or has a bridge: say one of --vlan, --bridge');
  const [, parent, digits] = /^([^:]+):([1-9]\d{0,3})$/.exec(vlan) ?? [];
  if (parent === undefined)
    throw new Failure('usage', `"${vlan}" is no VLAN: write the interface and the number, as eth0:100`, '--vlan');
  const name = `${parent}.${digits}`;
  return {
    attachment: 'vlan',
    interface: name.length <= INTERFACE_MAX ? name : interfaceName('vlan-', name),
    parent,
    vlanId: Number(digits),
  };
}

/** By the id where that is short enough, else by twelve digits that tell it from others. */
function interfaceName(start: string, id: string): string {
  if (start.length + id.length <= INTERFACE_MAX) return `${start}${id}`;
  const digits = createHash('sha256').update(id).digest('hex');
  return `${start}${digits.slice(0, Math.min(12, INTERFACE_MAX - start.length))}`;
}

function subnet(text: string, before: readonly Subnet[] = []): readonly Subnet[] {
  const [prefix = '', gateway, ...more] = text.split(',').map((part) => part.trim());
  if (more.length > 0)
    throw new InvalidArgumentError(
      'a subnet and at most its gateway, as 10.0.0.0/24,10.0.0.1; say --subnet again for another.',
    );
  return [...before, gateway === undefined ? { prefix } : { prefix, gateway }];
}
