/** `vrouterctl login` and `logout`: a session at the controller for who can log in at its OpenID Connect provider. */
import { goneReply } from '@vrouter/api/rest/identity.ts';
import { type LoginReply, loginOffer, loginReply } from '@vrouter/api/rest/login.ts';
import { spanText } from '@vrouter/core/units.ts';
import type { Command } from 'commander';
import { whole } from '../arguments.ts';
import { removeSession, sessionPath, writeSession } from '../clients/sessions.ts';
import { findToken } from '../clients/token.ts';
import { Failure } from '../failure.ts';
import { alsoTrust } from '../http/trust.ts';
import { reserveSecretFile } from '../peer/secret-file.ts';
import { type Session, sessionOf, type World } from '../session.ts';
import { byDevice } from './device.ts';

/** As long as the controller's nonce is good, whatever clocks say. */
const PATIENCE_MS = 10 * 60_000;

interface LoginFlags {
  /** False: `--no-browser`. */
  readonly browser: boolean;
  readonly device?: boolean;
  readonly redirectPort: number;
  readonly out?: string;
}

export function addLogin(program: Command, world: World): void {
  program
    .command('login')
    .description("log in at the controller's OpenID Connect provider; later commands are that person's")
    .option('--no-browser', 'only show the address to log in at; it must be opened on this machine')
    .option('--device', 'log in on another machine, where the provider knows how')
    .option(
      '--redirect-port <port>',
      'port that the provider sends the browser back to; a free one unless said',
      whole(1, 65535),
      0,
    )
    .option('--out <file>', 'write the token to a new file of mode 0600, for --token-file, and keep no session')
    .addHelpText(
      'after',
      '\nExamples:\n  vrouterctl --controller https://controller.example login\n  vrouterctl login --device\n  vrouterctl whoami\n  vrouterctl logout',
    )
    .action(async (flags: LoginFlags, command: Command) => {
      const session = sessionOf(world, command);
      const file = flags.out === undefined ? null : reserveSecretFile(flags.out);
      let reply: LoginReply;
      try {
        reply = await logIn(session, flags);
      } catch (thrown) {
        file?.abandon();
        throw thrown;
      }
      const { token, user, role, apiToken } = reply;
      file?.write(`${token}\n`);
      if (file === null) {
        keep(session, reply);
        const { file: named, text } = session.tokens;
        const before = named !== undefined ? '--token-file' : text !== undefined ? 'VROUTER_TOKEN' : null;
        if (before !== null) world.note(`mind that ${before} goes before this login`);
      }
      // The token itself is in the file, and nowhere else.
      session.show({ data: reply, raw: { user, role, apiToken } }, (_, now) => {
        const left = apiToken.expiresUnixMs === null ? '' : `, for ${spanText(apiToken.expiresUnixMs - now)}`;
        return `logged in as ${user}, ${role}${left}${flags.out === undefined ? '' : `; the token is in ${flags.out}`}`;
      });
    });
}

export function addLogout(program: Command, world: World): void {
  program
    .command('logout')
    .description('end the session of the last login at this controller')
    .action(async (_flags: unknown, command: Command) => {
      const session = sessionOf(world, command);
      const url = session.controllerUrl();
      const credential = findToken(session.tokens, url);
      if (credential === null) throw new Failure('login.noSession', `nobody has logged in at ${url.href} here`);
      try {
        session.show(await session.controller().delete('/v1/login', goneReply), () => 'logged out');
      } catch (thrown) {
        // It has ended already, by itself or by an administrator: nothing is left of it but the file.
        const ended = thrown instanceof Failure && thrown.code === 'request.unauthenticated';
        if (!ended || credential.session === null) throw thrown;
        session.show({ data: null, raw: { deleted: null } }, () => 'the session had ended already');
      }
      if (credential.session !== null) removeSession(credential.session);
    });
}

async function logIn(session: Session, { browser, device = false, redirectPort }: LoginFlags): Promise<LoginReply> {
  const { world } = session;
  const controller = session.stranger();
  const { oidc } = (await controller.get('/v1/login', loginOffer)).data;
  if (oidc === null) {
    const hint = 'nobody logs in at this controller; ask its administrator for an API token (--token-file)';
    throw new Failure('login.notOffered', hint);
  }
  const signal = AbortSignal.timeout(PATIENCE_MS);
  if (device) return byDevice(controller, (text) => world.note(text), signal);
  // Loaded here alone, since no other command needs it.
  const { byBrowser, findProvider } = await import('./provider.ts');
  const roots = session.roots();
  if (roots !== null) alsoTrust(roots);
  const configuration = await findProvider(oidc);
  const show = (url: string): void => {
    world.note(browser ? `log in in the browser; if none opens, open this:\n${url}` : `open this to log in:\n${url}`);
    if (browser) world.browse(url);
  };
  const request = await byBrowser(configuration, oidc, redirectPort, show, signal);
  return (await controller.create('/v1/login', request, loginReply)).data;
}

function keep(session: Session, { token, user, apiToken }: LoginReply): void {
  const { sessions } = session.tokens;
  if (sessions === null)
    throw new Failure('data.unwritable', 'there is no home folder (HOME) to keep the session in; use --out FILE');
  const url = session.controllerUrl();
  const kept = { controller: url.href, user, token, expiresUnixMs: apiToken.expiresUnixMs ?? 0 };
  writeSession(sessions, sessionPath(sessions, url), kept);
}
