/** A controller whose people log in, and `vrouterctl` as they use it: real processes, a real provider. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, ended, start } from '../../programs/cli/process.testing.ts';
import { Browser } from '../../programs/controller/testing/browser.ts';
import { CLIENT, type TestProvider } from '../../programs/controller/testing/oidc.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';

export const roleOptions = ['--oidc-role', 'admin=net-admins', '--oidc-role', 'viewer=everyone'];

export function oidcOptions(issuer: string, clientId = CLIENT): string[] {
  return ['--oidc-issuer', issuer, '--oidc-client-id', clientId, ...roleOptions];
}

/** Somebody's own machine: a home, and the command. */
export class Desk {
  readonly home = mkdtempSync(join(tmpdir(), 'vrouter-home-'));
  readonly controller: string;

  constructor(controller: string) {
    this.controller = controller;
  }

  get env(): { readonly [name: string]: string } {
    return { HOME: this.home, XDG_STATE_HOME: '', VROUTER_CONTROLLER: this.controller };
  }

  run(...args: string[]): Promise<Ended> {
    return ended(start(args, this.env));
  }

  /** Runs a login; `visit` is handed the first address that it shows, and what it has said so far. */
  async logIn(args: readonly string[], visit: (url: string, said: string) => Promise<unknown>): Promise<Ended> {
    const child = start(['login', ...args], this.env);
    let said = '';
    const shown = new Promise<string>((resolve) => {
      child.stderr!.on('data', (text: string) => {
        said += text;
        const url = /https?:\/\/\S+(?=\n)/.exec(said)?.[0];
        if (url !== undefined && (!args.includes('--device') || said.includes('or open'))) resolve(url);
      });
    });
    const end = ended(child);
    const url = await Promise.race([shown, end.then(() => null)]);
    if (url !== null) await visit(url, said);
    return end;
  }

  /** Logs in as the person, with a browser of its own. */
  logInAs(subject: string, ...args: string[]): Promise<Ended> {
    return this.logIn(['--no-browser', ...args], (url) => new Browser().logIn(url, subject));
  }
}

export function startController(data: string, provider: TestProvider, more: readonly string[] = []) {
  return ControllerProcess.start(data, [0, 0], [...oidcOptions(provider.issuer), ...more]);
}
