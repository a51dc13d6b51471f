/** What there is to complete, read off the commands themselves. */
import type { Command } from 'commander';

export interface Word {
  readonly text: string;
  readonly about: string;
}

/** One place on the line: the command words so far, and what may follow. */
export interface Spot {
  /** `''`, `'peer'`, `'peer add'`. */
  readonly path: string;
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

/** Options whose value is a file. */
export const fileOptions = ['--ca', '--file', '--out', '--socket', '--token-file', '--write', '-f'] as const;

/** Every spot, the outermost first. */
export function spotsOf(program: Command): Spot[] {
  const globals = optionsOf(program).filter((word) => word.text !== '--version');
  const spots: Spot[] = [];
  const visit = (command: Command, path: string): void => {
    const commands = command.commands.map((child) => ({ text: child.name(), about: child.description() }));
    const own = command === program ? [{ text: '--version', about: 'version of this command' }] : optionsOf(command);
    spots.push({ path, commands, options: [...own, ...globals, { text: '--help', about: 'what it does and takes' }] });
    for (const child of command.commands) visit(child, path === '' ? child.name() : `${path} ${child.name()}`);
  };
  visit(program, '');
  return spots;
}

/** Options that want a value, of all commands. */
export function valueOptions(program: Command): string[] {
  const found = new Set<string>();
  const visit = (command: Command): void => {
    for (const option of command.options) if (option.required || option.optional) found.add(option.long!);
    command.commands.forEach(visit);
  };
  visit(program);
  return [...found].sort();
}

function optionsOf(command: Command): Word[] {
  return command.options.map((option) => ({ text: option.long!, about: option.description }));
}
