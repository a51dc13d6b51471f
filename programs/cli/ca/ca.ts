/** `vrouterctl ca ...`: the authority that makes the certificates of gateways. */
import { type CaReply, caReply } from '@vrouter/api/rest/ca.ts';
import { pairs, table } from '@vrouter/core/table.ts';
import { whenText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { sessionOf, type World } from '../session.ts';

export function addCa(program: Command, world: World): void {
  const noun = program
    .command('ca')
    .description("the certificate authority of the controller's gateways")
    .addHelpText('after', '\nExamples:\n  vrouterctl ca show\n  vrouterctl ca rotate');

  noun
    .command('show')
    .description('which authority it is, whether it works, and until when')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().get('/v1/ca', caReply), caText);
    });

  noun
    .command('rotate')
    .description('issue with a new intermediate from now on (embedded authority); gateways notice nothing')
    .action(async (_options: unknown, command: Command) => {
      const session = sessionOf(world, command);
      session.show(await session.controller().post('/v1/ca/rotate', undefined, caReply), caText);
    });
}

function caText(ca: CaReply, nowUnixMs: number): string {
  const since = ca.failingSinceUnixMs === null ? '' : ` since ${whenText(ca.failingSinceUnixMs, nowUnixMs)}`;
  const facts = pairs([
    ['authority', ca.kind],
    ['state', `${ca.state}${since}`],
    ['last error', ca.lastError],
    ['root', `SHA-256 ${ca.rootFingerprint}`],
    ['roots', ca.roots === 1 ? null : `${ca.roots} are trusted by gateways`],
    ['listener', `its certificate ends ${whenText(ca.serverCertificateExpiresUnixMs, nowUnixMs)}`],
  ]);
  const rows = ca.issuers.map((issuer) => [
    issuer.active ? 'issues' : issuer.trustedUntilUnixMs >= issuer.notAfterUnixMs ? 'issues elsewhere' : 'retired',
    issuer.subject,
    issuer.serial,
    whenText(issuer.notAfterUnixMs, nowUnixMs),
    whenText(issuer.trustedUntilUnixMs, nowUnixMs),
  ]);
  return `${facts}\n\n${table(['INTERMEDIATE', 'SUBJECT', 'SERIAL', 'ENDS', 'BELIEVED UNTIL'], rows, 'none known yet')}`;
}
