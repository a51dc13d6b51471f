/** Verbs on the one set of limits and lives of translations that a vrouter has. */
import type { ChangeNatSettingsReply, changeNatSettingsRequest, NatSettings } from '@vrouter/api/rest/nat-settings.ts';
import { type IntentKey, intentKey, type NatSettingsIntent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { HeadView } from '../desired/head.ts';
import type { Actor } from './actor.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { problemOf } from './intents.ts';
import { intentTag } from './tags.ts';
import { requireMatch } from './terms.ts';

const KEY = 'natSettings/default' as IntentKey;

/** Throws `vrouter.notFound`. */
export function showNatSettings(desk: Desk, vrouter: string): NatSettings {
  return describe(desk, desk.desired.get(vrouter));
}

/** What is left out stays as it is. Throws `vrouter.notFound`, `input.invalid`, `request.outdated`. */
export async function changeNatSettings(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof changeNatSettingsRequest>,
): Promise<ChangeNatSettingsReply> {
  return write(desk, actor, vrouter, 'natSettings.change', 'changed', (now) => ({ ...now, ...input }));
}

/** The usual ones again. Throws `vrouter.notFound`, `request.outdated`. */
export async function resetNatSettings(desk: Desk, actor: Actor, vrouter: string): Promise<ChangeNatSettingsReply> {
  return write(desk, actor, vrouter, 'natSettings.delete', 'taken back', () => null);
}

async function write(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  action: string,
  done: string,
  next: (now: NatSettingsIntent) => object | null,
): Promise<ChangeNatSettingsReply> {
  const { value: changed, version } = await desk.desired.change(vrouter, actor, action, async (tx, draft, head) => {
    requireMatch(actor, intentTag(head, [KEY]));
    const wanted = next(saidOf(head));
    const intent = wanted === null ? null : (must(parseIntent(wanted)) as NatSettingsIntent);
    if (intent === null) draft.remove(KEY);
    else draft.put(intent);
    await note(tx, desk, actor, action, vrouter);
    return head.version;
  });
  if (version !== changed) {
    const text = `the NAT settings of ${vrouter} were ${done}`;
    desk.events.emit({ type: 'natSettings.changed', vrouter, subject: null, version, text });
  }
  return { natSettings: showNatSettings(desk, vrouter), version };
}

/** As they were said, else the usual ones. */
function saidOf(view: HeadView): NatSettingsIntent {
  const usual = must(parseIntent({ kind: 'natSettings', name: 'default' })) as NatSettingsIntent;
  return view.intent('natSettings', intentKey(usual)) ?? usual;
}

function describe(desk: Desk, view: HeadView): NatSettings {
  const { kind: _kind, name: _name, ...rest } = saidOf(view);
  const said = view.body(KEY) !== undefined;
  return { vrouter: view.row.name, ...rest, said, problem: problemOf(desk, view, [KEY]), etag: intentTag(view, [KEY]) };
}
