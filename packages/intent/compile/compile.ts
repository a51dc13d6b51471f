/** What people say into what planes have, one intent at a time. Pure: the same intent and the same answers give the same objects. */
import type { Intent, IntentKind } from '../model/intents.ts';
import { compileAddress } from './address.ts';
import type { CompileContext, Compiled } from './context.ts';
import { compileDnsName } from './dns-name.ts';
import { compileFloatingIp } from './floating-ip.ts';
import { compileGatewayInterface } from './gateway-interface.ts';
import { compileHostInterface } from './host-interface.ts';
import { compileInterface } from './interface.ts';
import { compileMasquerade } from './masquerade.ts';
import { compileNatSettings } from './nat-settings.ts';
import { compileNetwork } from './network.ts';
import { compilePeer } from './peer.ts';
import { compilePeerSuccessor } from './peer-successor.ts';
import { compilePolicyRule } from './policy-rule.ts';
import { compilePort } from './port.ts';
import { compilePublishedPort } from './published-port.ts';
import { compileRoute } from './route.ts';
import { compileVrf } from './vrf.ts';

/** Who refers to whom: a kind refers only to kinds of a lower rank, so compiling by rank never has to come back. */
export const intentRank: { readonly [K in IntentKind]: number } = {
  vrf: 0,
  gatewayInterface: 1,
  hostInterface: 1,
  port: 1,
  network: 1,
  interface: 1,
  policyRule: 2,
  dnsName: 2,
  address: 2,
  peer: 2,
  route: 2,
  masquerade: 2,
  publishedPort: 2,
  floatingIp: 2,
  natSettings: 0,
  peerSuccessor: 1,
};
export const INTENT_RANKS = 3;

export function compile(intent: Intent, context: CompileContext): Compiled {
  switch (intent.kind) {
    case 'vrf':
      return compileVrf(intent, context);
    case 'gatewayInterface':
      return compileGatewayInterface(intent, context);
    case 'hostInterface':
      return compileHostInterface(intent, context);
    case 'port':
      return compilePort(intent, context);
    case 'address':
      return compileAddress(intent, context);
    case 'peer':
      return compilePeer(intent, context);
    case 'peerSuccessor':
      return compilePeerSuccessor();
    case 'route':
      return compileRoute(intent, context);
    case 'masquerade':
      return compileMasquerade(intent, context);
    case 'publishedPort':
      return compilePublishedPort(intent, context);
    case 'floatingIp':
      return compileFloatingIp(intent, context);
    case 'natSettings':
      return compileNatSettings(intent);
    case 'network':
      return compileNetwork(intent, context);
    case 'interface':
      return compileInterface(intent, context);
    case 'policyRule':
      return compilePolicyRule(intent, context);
    case 'dnsName':
      return compileDnsName(intent, context);
  }
}
