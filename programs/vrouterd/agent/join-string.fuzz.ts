/** Any text as a join string: nothing may throw, a refusal never repeats the token, and what is accepted can be written down again. */
import { parseJoinString } from './join-string.ts';

export const name = 'vrouterd/join-string';

const fingerprint = '5f0c'.repeat(16);
export const seeds: readonly Uint8Array[] = [
  `https://router.example:8443/#vrj_abc-DEF_123~${fingerprint}`,
  `https://a.example:8443/?also=b.example:8443,[2001:db8::2]:1#vrj_x~${fingerprint}`,
  `https://[2001:db8::1]:8443/#vrj_x~${fingerprint}`,
  `  https://user:secret@192.0.2.1/path?query#vrj_x~${fingerprint}\n`,
].map((text) => new TextEncoder().encode(text));

export function fuzzOne(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes);
  const parsed = parseJoinString(text);
  if (!parsed.ok) {
    const token = /vrj_[A-Za-z0-9_-]{8,}/.exec(text)?.[0];
    if (token !== undefined && parsed.error.message.includes(token)) throw new Error('the token is repeated');
    return;
  }
  const { controllerUrls, token, rootFingerprint } = parsed.value;
  const [first, ...others] = controllerUrls;
  const also = others.map((url) => url.slice('https://'.length)).join(',');
  const again = parseJoinString(`${first}/${also === '' ? '' : `?also=${also}`}#${token}~${rootFingerprint}`);
  if (!again.ok || JSON.stringify(again.value) !== JSON.stringify(parsed.value))
    throw new Error(`came back as ${JSON.stringify(again)}`);
}
