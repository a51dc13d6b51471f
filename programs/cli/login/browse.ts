/** Opens a page in the browser of whoever sits here. */
import { spawn } from 'node:child_process';

/** The program that knows the user's browser, by platform; xdg-open heeds BROWSER too. */
const openers: { readonly [platform: string]: readonly [string, ...string[]] } = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Nothing is said when there is none: the address is on the terminal, too. */
export function openBrowser(url: string): void {
  const [program, ...args] = openers[process.platform] ?? ['xdg-open'];
  const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
