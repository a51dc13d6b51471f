/** `vrouterctl vrouter set`: changes a virtual router in place. */
import { type ChangeVrouterRequest, changeVrouterReply, vrouter as vrouterSchema } from '@vrouter/api/rest/vrouters.ts';
import type { Command } from 'commander';
import {
  type IfMatch,
  ifMatchOption,
  list,
  type MssClamp,
  mssClampOption,
  type SourceCheck,
  sourceCheckOption,
  whole,
} from '../arguments.ts';
import { pathOf } from '../clients/controller.ts';
import type { DryRun } from '../dry-run/dry-run.ts';
import { Failure } from '../failure.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { interfaceText } from './interface-text.ts';

interface SetOptions extends IfMatch, DryRun {
  readonly addNetwork?: readonly string[];
  readonly listenPort?: number;
  readonly endpoint?: string;
  readonly mtu?: number;
  readonly mssClamp?: MssClamp;
  readonly sourceCheck?: SourceCheck;
}

export function addVrouterSet(noun: Command, world: World): void {
  noun
    .command('set')
    .alias('change')
    .description('change a virtual router in place; sessions go on')
    .argument('<name>')
    .option('--add-network <cidr>', 'another network; gateway and peers get addresses of it; may be repeated', list)
    .option('--listen-port <port>', 'UDP port of WireGuard; an endpoint with the old one goes along', whole(1, 65_535))
    .option('--endpoint <host[:port]>', 'what peers connect to from now on')
    .option('--mtu <bytes>', 'MTU of the WireGuard interface', whole(1280, 9216))
    .addOption(mssClampOption())
    .addOption(sourceCheckOption())
    .addOption(ifMatchOption())
    .action(async (name: string, { ifMatch, dryRun: _, addNetwork, ...options }: SetOptions, command: Command) => {
      const session = sessionOf(world, command);
      const fields = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      if (addNetwork === undefined && Object.keys(fields).length === 0)
        throw new Failure('usage', `there is nothing to change; name one of ${changeable(command).join(', ')}`);
      const request: ChangeVrouterRequest = fields;
      const more = addNetwork === undefined ? null : await withNetworks(session, name, addNetwork);
      const reply = await session
        .controller()
        .patch(
          pathOf`/v1/vrouters/${name}`,
          { ...request, ...(more === null ? {} : { networks: more.networks }) },
          changeVrouterReply,
          ifMatch ?? more?.etag,
        );
      session.show(reply, (data) => {
        const where = `${data.vrouter.networks.join(', ')}, endpoint ${data.vrouter.endpoint}`;
        return `${interfaceText(data.vrouter)}, ${where}, version ${data.version}`;
      });
    });
}

/** The controller wants all of them; with the tag of what was read, nobody's addition of the same moment gets lost. */
async function withNetworks(
  session: Session,
  name: string,
  added: readonly string[],
): Promise<{ readonly networks: string[]; readonly etag: string | undefined }> {
  const { data } = await session.controller().get(pathOf`/v1/vrouters/${name}`, vrouterSchema);
  return { networks: [...new Set([...data.networks, ...added])], etag: data.etag };
}

function changeable(command: Command): string[] {
  return command.options.map((option) => option.long!).filter((long) => long !== '--if-match' && long !== '--dry-run');
}
