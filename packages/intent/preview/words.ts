/** What a step does, and what whoever is in the way notices of it, in a sentence for people. Secrets are never in it. */
import type { NatRuleObject, PlaneObject, RouteObject, RuleMatch } from '../model/objects.ts';
import { fieldOf, isSecret } from '../model/same.ts';
import type { Effect, Step } from '../plan/step.ts';

/** What each effect means, whatever it is of. */
export const effectWords: { readonly [E in Effect]: string } = {
  none: 'traffic goes on',
  rehandshake: 'traffic goes on after a new handshake',
  interrupt: 'some traffic is cut off',
};

/** `nameOf` gives the name that people know a WireGuard peer by, of its public key. */
export function stepText(step: Step, nameOf: (publicKey: string) => string | null): string {
  const object = step.op === 'delete' ? step.before : step.object;
  const what = objectText(object, nameOf);
  switch (step.op) {
    case 'create':
      return `${what} ${beginning(object)}`;
    case 'delete':
      return `${what} ends: ${ending[object.kind]}`;
    case 'update': {
      const changes = step.changed.map((name) => changeText(name, fieldOf(step.before, name), fieldOf(object, name)));
      const notice = step.effect === 'none' ? '' : `: ${noticed(step.effect, object)}`;
      return `${what} changes (${changes.join(', ')})${notice}`;
    }
  }
}

function objectText(object: PlaneObject, nameOf: (publicKey: string) => string | null): string {
  switch (object.kind) {
    case 'vrf':
      return `VRF ${object.name}`;
    case 'sysctl':
      return `kernel switch ${object.name.replace('%', object.link ?? '%')}`;
    case 'isolation':
      return `isolation of ${object.link}`;
    case 'dnsZone':
      return `names of ${object.name}`;
    case 'dnsRecord':
      return `name ${object.name} (${object.data}) of ${object.zone}`;
    case 'link':
      return `interface ${object.name}`;
    case 'wireguardDevice':
      return `WireGuard on ${object.link}`;
    case 'wireguardPeer':
      return `peer ${nameOf(object.publicKey) ?? object.publicKey}`;
    case 'address':
      return `address ${object.address} of ${object.link}`;
    case 'rule':
      return `rule ${object.priority} of ${object.vrf}`;
    case 'neighbour':
      return `neighbour ${object.address} on ${object.link}`;
    case 'route':
      return `route to ${object.prefix} in ${object.vrf}`;
    case 'natSettings':
      return 'limits of translations';
    case 'natPool':
      return `pool of outside addresses ${object.name}`;
    case 'natRule':
      return `translation ${object.name} in ${object.vrf}`;
  }
}

/** What is new is in nobody's way. */
function beginning(object: PlaneObject): string {
  switch (object.kind) {
    case 'vrf':
      return 'is made';
    case 'sysctl':
      return `becomes ${object.value}`;
    case 'isolation':
      return object.internal ? 'begins: nothing leaves it or gets in' : 'begins: it reaches the outside alone';
    case 'dnsZone':
      return `are answered at ${object.listen.join(', ')}`;
    case 'dnsRecord':
      return 'is answered';
    case 'link':
      return `comes up in ${object.vrf}, MTU ${object.mtu}`;
    case 'wireguardDevice':
      return object.listenPort === 0 ? 'listens on any free UDP port' : `listens on UDP port ${object.listenPort}`;
    case 'wireguardPeer':
      return `may connect, with ${object.allowedIps.length === 0 ? 'no addresses' : object.allowedIps.join(', ')}`;
    case 'address':
      return 'is answered on';
    case 'rule':
      return `sends traffic ${ruleText(object.match)} there`;
    case 'neighbour':
      return `is ${object.mac}`;
    case 'route':
      return `leads ${viaText(object.via)}`;
    case 'natSettings':
      return 'hold for new ones';
    case 'natPool':
      return `shares ${object.addresses.join(', ')}`;
    case 'natRule':
      return `begins: ${matchText(object)}`;
  }
}

const ending: { readonly [K in PlaneObject['kind']]: string } = {
  vrf: 'what is in it is cut off',
  sysctl: 'it is again what it was before',
  isolation: 'others reach it',
  dnsZone: 'nobody answers for them',
  dnsRecord: 'nobody is told of it any more',
  rule: 'its traffic goes where others send it',
  neighbour: 'it is asked for',
  link: 'what goes over it is cut off',
  wireguardDevice: 'all of its peers are cut off',
  wireguardPeer: 'it is cut off at once',
  address: 'who talks to it is cut off',
  route: 'packets there take a shorter prefix, or are dropped',
  natSettings: 'the usual ones hold again',
  natPool: 'translations to it end',
  natRule: 'its translations end',
};

/** Of an update. */
function noticed(effect: Exclude<Effect, 'none'>, object: PlaneObject): string {
  if (effect === 'rehandshake')
    return object.kind === 'wireguardDevice' ? 'its peers shake hands anew' : 'it shakes hands anew';
  switch (object.kind) {
    case 'vrf':
      return 'what is in it is cut off';
    case 'link':
      return 'some of what goes over it is cut off';
    case 'wireguardDevice':
      return 'its peers are cut off';
    case 'wireguardPeer':
      return 'packets of and to the addresses that it loses are dropped';
    case 'isolation':
      return 'what it reached outside is cut off';
    case 'dnsZone':
      return 'who asks at an address that it loses is not answered';
    case 'rule':
      return 'what it matched goes another way';
    case 'sysctl':
    case 'neighbour':
    case 'dnsRecord':
    case 'address':
    case 'natSettings':
      return effectWords.interrupt;
    case 'route':
      return 'packets there are dropped';
    case 'natPool':
    case 'natRule':
      return 'its translations end and begin anew';
  }
}

function viaText(via: RouteObject['via']): string {
  if (via.type === 'blackhole') return 'nowhere: packets there are dropped';
  const paths = via.type === 'link' ? [via] : via.paths;
  return paths.map(({ link, nextHop }) => `out of ${link}${nextHop === null ? '' : ` to ${nextHop}`}`).join(' and ');
}

function ruleText({ source, destination, incoming, mark }: RuleMatch): string {
  const parts = [
    source === null ? '' : `from ${source}`,
    destination === null ? '' : `to ${destination}`,
    incoming === null ? '' : `by ${incoming}`,
    mark === null ? '' : `marked ${mark.value}/${mark.mask}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function matchText({ match, to }: NatRuleObject): string {
  const target = { egress: 'the address they leave by', pool: 'its pool', inside: '', host: '' }[to.type];
  const inside = to.type === 'inside' ? `${to.address}:${to.port}` : to.type === 'host' ? to.address : target;
  switch (match.type) {
    case 'source':
      return `packets of ${match.prefix} get ${inside}`;
    case 'destination': {
      const [first, last] = match.ports;
      const ports = first === last ? `${first}` : `${first}-${last}`;
      return `${match.protocol}/${match.address ?? '*'}:${ports} becomes ${inside}`;
    }
    case 'address':
      return `${match.address} becomes ${inside}`;
  }
}

function changeText(name: string, before: unknown, after: unknown): string {
  if (isSecret(before) || isSecret(after)) {
    const how = before === null ? 'from now on' : after === null ? 'no more' : 'another';
    return `${name}: ${how}`;
  }
  if (!isList(before) || !isList(after)) return `${name}: ${show(before)} -> ${show(after)}`;
  const more = after.filter((one) => !before.includes(one)).map((one) => `+${show(one)}`);
  const less = before.filter((one) => !after.includes(one)).map((one) => `-${show(one)}`);
  return `${name}: ${[...less, ...more].join(' ')}`;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function show(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value ?? 'none');
  if (isSecret(value)) return 'secret';
  return Object.values(value).map(show).join(' ');
}
