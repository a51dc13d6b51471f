/**
 * Which role each route needs: the one table. A route that has no row keeps the server from starting, so that nothing is open because
 * somebody forgot it.
 */
import { type Role, roles } from '@vrouter/api/rest/identity.ts';
import type { App } from './app.ts';

/** `open`: without any token. */
export type Need = Role | 'open';

/** By method and path. HEAD is as GET. */
export const needs: { readonly [route: string]: Need } = {
  'GET /': 'open',
  'GET /healthz': 'open',
  'GET /openapi.json': 'open',
  'GET /openapi-agents.json': 'open',
  'GET /metrics': 'viewer',

  'GET /v1/version': 'viewer',
  'GET /v1/events': 'viewer',
  'GET /v1/audit': 'viewer',
  'GET /v1/audit/verify': 'viewer',
  'GET /v1/whoami': 'viewer',
  'GET /v1/login': 'open',
  'POST /v1/login': 'open',
  'POST /v1/login/device': 'open',
  'DELETE /v1/login': 'viewer',

  'GET /v1/controllers': 'viewer',
  'DELETE /v1/controllers/:id': 'admin',

  'GET /v1/ca': 'viewer',
  'POST /v1/ca/rotate': 'admin',

  'GET /v1/users': 'viewer',
  'GET /v1/users/:user': 'viewer',
  'POST /v1/users': 'admin',
  'PATCH /v1/users/:user': 'admin',
  'DELETE /v1/users/:user': 'admin',
  'GET /v1/api-tokens': 'viewer',
  'GET /v1/api-tokens/:id': 'viewer',
  'POST /v1/api-tokens': 'admin',
  'DELETE /v1/api-tokens/:id': 'admin',

  'GET /v1/vrouters': 'viewer',
  'GET /v1/vrouters/:name': 'viewer',
  'GET /v1/vrouters/:name/status': 'viewer',
  'GET /v1/vrouters/:name/history': 'viewer',
  'GET /v1/vrouters/:name/versions': 'viewer',
  'GET /v1/vrouters/:name/versions/:version': 'viewer',
  'GET /v1/vrouters/:name/diff': 'viewer',
  'POST /v1/vrouters': 'operator',
  'PATCH /v1/vrouters/:name': 'operator',
  'DELETE /v1/vrouters/:name': 'operator',
  'GET /v1/vrouters/:name/tokens': 'viewer',
  'POST /v1/vrouters/:name/tokens': 'operator',
  'DELETE /v1/vrouters/:name/tokens/:id': 'operator',
  'POST /v1/vrouters/:name/revoke': 'operator',
  'POST /v1/vrouters/:name/confirm-shrink': 'operator',

  'GET /v1/vrouters/:name/peers': 'viewer',
  'GET /v1/vrouters/:name/peers/:peer': 'viewer',
  'GET /v1/vrouters/:name/peers/:peer/wg-quick': 'viewer',
  'POST /v1/vrouters/:name/peers': 'operator',
  'PATCH /v1/vrouters/:name/peers/:peer': 'operator',
  'DELETE /v1/vrouters/:name/peers/:peer': 'operator',

  'GET /v1/vrouters/:name/rotations': 'viewer',
  'GET /v1/vrouters/:name/rotations/:id': 'viewer',
  'POST /v1/vrouters/:name/rotations': 'operator',
  'POST /v1/vrouters/:name/rotations/:id/cancel': 'operator',
  'POST /v1/vrouters/:name/rotations/:id/force': 'operator',

  'GET /v1/vrouters/:name/routes': 'viewer',
  'POST /v1/vrouters/:name/routes': 'operator',
  'DELETE /v1/vrouters/:name/routes': 'operator',
  'GET /v1/vrouters/:name/vrfs': 'viewer',
  'POST /v1/vrouters/:name/vrfs': 'operator',
  'DELETE /v1/vrouters/:name/vrfs/:vrf': 'operator',

  'GET /v1/vrouters/:name/host-interfaces': 'viewer',
  'GET /v1/vrouters/:name/host-interfaces/:interface': 'viewer',
  'POST /v1/vrouters/:name/host-interfaces': 'operator',
  'DELETE /v1/vrouters/:name/host-interfaces/:interface': 'operator',

  'GET /v1/vrouters/:name/ports': 'viewer',
  'GET /v1/vrouters/:name/ports/:port': 'viewer',
  'POST /v1/vrouters/:name/ports': 'operator',
  'DELETE /v1/vrouters/:name/ports/:port': 'operator',

  'GET /v1/vrouters/:name/floating-ips': 'viewer',
  'GET /v1/vrouters/:name/floating-ips/:id': 'viewer',
  'POST /v1/vrouters/:name/floating-ips': 'operator',
  'DELETE /v1/vrouters/:name/floating-ips/:id': 'operator',

  'GET /v1/vrouters/:name/nat-settings': 'viewer',
  'PATCH /v1/vrouters/:name/nat-settings': 'operator',
  'DELETE /v1/vrouters/:name/nat-settings': 'operator',

  'GET /v1/vrouters/:name/masquerades': 'viewer',
  'GET /v1/vrouters/:name/masquerades/:vrf/:prefix': 'viewer',
  'POST /v1/vrouters/:name/masquerades': 'operator',
  'DELETE /v1/vrouters/:name/masquerades/:vrf/:prefix': 'operator',

  'GET /v1/vrouters/:name/published-ports': 'viewer',
  'GET /v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort': 'viewer',
  'POST /v1/vrouters/:name/published-ports': 'operator',
  'DELETE /v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort': 'operator',
};

/** Undefined when nobody said. */
export function needOf(method: string, url: string): Need | undefined {
  if (url === '/docs' || url.startsWith('/docs/')) return 'open';
  return needs[`${method === 'HEAD' ? 'GET' : method} ${url}`];
}

/** From now on every route that is added must have its row, else adding it throws; the documentation says what it needs. */
export function requireNeeds(app: App): void {
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      const need = needOf(method, route.url);
      if (need === undefined) throw new Error(`rest/roles.ts has no row for ${method} ${route.url}`);
      const { description } = route.schema ?? {};
      const words = need === 'open' ? 'Needs no token.' : `Needs the role ${rolesFrom(need)}.`;
      route.schema = {
        ...route.schema,
        description: description === undefined ? words : `${description} ${words}`,
        // OpenAPI 3.1: of schemes other than OAuth, the list names roles.
        security: need === 'open' ? [] : [{ apiToken: [need] }],
      };
    }
  });
}

function rolesFrom(need: Role): string {
  return roles.slice(roles.indexOf(need)).join(' or ');
}
