/**
 * `--dry-run`: what a change would do to traffic, instead of the change. The command runs as ever; where it would have the controller
 * change something, it asks what that would do, shows the answer, and ends there.
 */
import { type PreviewReply, previewReply } from '@vrouter/api/rest/preview.ts';
import { versionReply } from '@vrouter/api/rest/system.ts';
import type { Command } from 'commander';
import type { Controller } from '../clients/controller.ts';
import type { Reply } from '../clients/reply.ts';
import { Failure } from '../failure.ts';

/** The commands that change what the controller has below /v1/vrouters: the one table. */
const changing: { readonly [noun: string]: readonly string[] } = {
  vrouter: ['create', 'set', 'delete', 'token', 'revoke', 'confirm'],
  'join-token': ['revoke'],
  peer: ['add', 'set', 'remove'],
  rotation: ['cancel', 'force'],
  route: ['add', 'remove'],
  vrf: ['add', 'remove'],
  'host-interface': ['add', 'remove'],
  port: ['add', 'remove'],
  masquerade: ['add', 'remove'],
  'published-port': ['add', 'remove'],
  'floating-ip': ['add', 'remove'],
  'nat-settings': ['set', 'reset'],
};

/** Of every change. It is not a part of what is asked for, so who hands all other options on leaves it out. */
export interface DryRun {
  readonly dryRun?: boolean;
}

/** It was only looked at, and what was seen is shown. No failure: the command is over. */
export class Looked extends Error {}

/** Gives the option to all commands that have it, once they are there. */
export function addDryRun(program: Command): void {
  for (const [noun, verbs] of Object.entries(changing))
    for (const verb of verbs) {
      const command = program.commands.find((one) => one.name() === noun)?.commands.find((one) => one.name() === verb);
      if (command === undefined) throw new Error(`there is no vrouterctl ${noun} ${verb}`);
      command.option('--dry-run', 'change nothing: show what the gateway would do, and what that does to traffic');
    }
}

/** A controller whose every change is only looked at: `show` gets the answer, and Looked is thrown. Reading is as ever. */
export function lookingOnly(controller: Controller, show: (reply: Reply<PreviewReply>) => void): Controller {
  async function look(ask: () => Promise<Reply<PreviewReply>>): Promise<never> {
    // An older one takes no notice of the query, and would make the change.
    const { data } = await controller.get('/v1/version', versionReply);
    if (data.dryRuns !== true)
      throw new Failure('request.notFound', 'this controller knows no dry runs and would make the change; update it');
    show(await ask());
    throw new Looked();
  }
  return {
    get: controller.get,
    post: (path, body) => look(() => controller.post(dry(path), body, previewReply)),
    create: (path, body) => look(() => controller.post(dry(path), body, previewReply)),
    patch: (path, body, _schema, ifMatch) => look(() => controller.patch(dry(path), body, previewReply, ifMatch)),
    delete: (path, _schema, ifMatch) => look(() => controller.delete(dry(path), previewReply, ifMatch)),
  };
}

function dry(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}dryRun=true`;
}
