/** `/v1/vrouters/:name/nat-settings`: how many translations there may be, and how long an idle one lives. */
import { z } from 'zod';
import { etag, gatewayProblem, version } from './common.ts';

const sessions = z.number().int().min(1).max(1_048_576);
const seconds = z.number().int().min(1).max(604_800);

const fields = {
  sessions: sessions.describe('Translations at a time, at most'),
  sessionsPerHost: sessions.describe('Of them those of one inside host'),
  udpSeconds: seconds.describe('UDP that both sides are heard of, s'),
  udpOneWaySeconds: seconds.describe('UDP that one side alone is heard of, s'),
  tcpEstablishedSeconds: seconds.describe('TCP that is established, s'),
  tcpTransitorySeconds: seconds.describe('TCP that opens or closes, s'),
  icmpSeconds: seconds.describe('ICMP, s'),
};

/** PATCH /v1/vrouters/:name/nat-settings: what is left out stays. */
export const changeNatSettingsRequest = z.strictObject(fields).partial();
export type ChangeNatSettingsRequest = z.input<typeof changeNatSettingsRequest>;

export const natSettings = z.object({
  vrouter: z.string(),
  ...fields,
  said: z.boolean().describe('False: nobody said any, and these are the usual ones'),
  problem: gatewayProblem,
  etag,
});
export type NatSettings = z.infer<typeof natSettings>;

/** GET /v1/vrouters/:name/nat-settings */
export const natSettingsReply = z.object({ natSettings });
export type NatSettingsReply = z.infer<typeof natSettingsReply>;

/** 200 of PATCH and DELETE /v1/vrouters/:name/nat-settings. The version is the one before when nothing changed. */
export const changeNatSettingsReply = z.object({ natSettings, version });
export type ChangeNatSettingsReply = z.infer<typeof changeNatSettingsReply>;
