/**
 * A gateway whose state this store does not have: the controller was restored from a backup, and the gateway has what came after it.
 * To send what the store has would take away what people have made since, so the gateway keeps its state, and is shown as such, until
 * a person confirms (`vrouterctl vrouter confirm`) or the controller has been brought to the same state again.
 */
import type { HeldChange, PollReply, PollRequest } from '@vrouter/api/agent/agent.ts';
import type { Head } from '../desired/head.ts';

type Stored = Pick<PollRequest, 'storedVersion' | 'storedHash'>;

/** Whether the gateway has a later version than we, or one that we have made another of since the store was restored. */
export function isLost(head: Head, { storedVersion, storedHash }: Stored): boolean {
  if (storedVersion === 0 || storedHash === null || storedHash === head.hash) return false;
  const { confirmedVersion, restoredVersion } = head.row;
  if (confirmedVersion > 0 && confirmedVersion === head.version) return false;
  if (storedVersion > head.version) return true;
  return restoredVersion > 0 && storedVersion > restoredVersion && !head.had(storedVersion, storedHash);
}

/** What a gateway is answered that keeps what it has: nothing new since its own version. */
export function keepWhatYouHave(
  request: Stored,
): Pick<PollReply, 'version' | 'baseVersion' | 'hash' | 'confirmShrink'> {
  const { storedVersion: version, storedHash } = request;
  return { version, baseVersion: version, hash: storedHash!, confirmShrink: false };
}

/** For people. How much would go only the gateway could tell. */
export function heldBecauseLost(head: Head, { storedVersion }: Stored): HeldChange {
  const reason = `the gateway has version ${storedVersion}, which this controller does not know: it was restored from an older backup. The gateway keeps what it has until version ${head.version} is confirmed here, or what was lost has been made again`;
  return { version: head.version, removes: 0, reason };
}
