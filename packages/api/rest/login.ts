/** `/v1/login`: how people log in by OpenID Connect, and the session that they get for what their provider says of them. */
import { z } from 'zod';
import { unixMs } from './common.ts';
import { apiToken, role } from './identity.ts';

/** Longest ID token that is read, characters: people may be in hundreds of groups. */
export const ID_TOKEN_MAX = 65_536;

export const oidcOffer = z.object({
  issuer: z.string().describe('Issuer of the provider; its metadata is found below it (OpenID Connect Discovery 1.0)'),
  clientId: z.string(),
  scopes: z.array(z.string()).describe('What to ask the provider for; `openid` is among them'),
  exchange: z
    .enum(['client', 'controller'])
    .describe(
      'Who turns the code into an ID token: whoever logs in, or, where the provider wants a secret for that, the controller',
    ),
  nonce: z.string().describe('For this login alone: it must come back in the ID token'),
  nonceExpiresUnixMs: unixMs,
});
export type OidcOffer = z.infer<typeof oidcOffer>;

/** GET /v1/login */
export const loginOffer = z.object({
  oidc: oidcOffer.nullable().describe('null: people have API tokens here, and nothing else'),
});
export type LoginOffer = z.infer<typeof loginOffer>;

/** POST /v1/login: an ID token; or, where the offer says `exchange: "controller"`, the code that leads to one; or a device's handle. */
export const loginRequest = z.union([
  z.strictObject({
    idToken: z
      .string()
      .min(1)
      .max(ID_TOKEN_MAX)
      .describe("The provider's ID token, a signed JWT with the nonce of the offer"),
  }),
  z.strictObject({
    code: z.string().min(1).max(4096).describe('Of the authorization response'),
    codeVerifier: z
      .string()
      .regex(/^[A-Za-z0-9._~-]{43,128}$/)
      .describe('PKCE, RFC 7636'),
    redirectUri: z.string().min(1).max(2048).describe('To which the code was sent: on the loopback (RFC 8252)'),
  }),
  z.strictObject({
    device: z.string().min(1).max(8192).describe('The handle of POST /v1/login/device, once the person has logged in'),
  }),
]);
export type LoginRequest = z.infer<typeof loginRequest>;

/** 200 of POST /v1/login/device: what a person does on another machine (RFC 8628), which the controller asks the provider about. */
export const deviceReply = z.object({
  device: z.string().describe('Handle for POST /v1/login, which answers `login.pending` until the person is done'),
  userCode: z.string().describe('What the person types in there'),
  verificationUri: z.string().describe('Where'),
  verificationUriComplete: z.string().nullable().describe('The same with the code in it, where the provider has that'),
  intervalSeconds: z.number().int().min(1).describe('How often to ask, at most, s'),
  expiresUnixMs: unixMs,
});
export type DeviceReply = z.infer<typeof deviceReply>;

/** 201 of POST /v1/login */
export const loginReply = z.object({
  user: z.string(),
  role: role.describe("What the session may do: the highest of the roles that the person's groups give"),
  apiToken,
  token: z
    .string()
    .describe('For `Authorization: Bearer`, until the session ends. Shown once: the controller keeps only a hash of it')
    .meta({ examples: ['vra_k3x9q2ab_...'] }),
});
export type LoginReply = z.infer<typeof loginReply>;
