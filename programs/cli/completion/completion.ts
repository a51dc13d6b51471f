/** `vrouterctl completion bash|zsh|fish`: a script that teaches the shell these commands. */
import { Argument, type Command } from 'commander';
import type { World } from '../session.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { spotsOf, valueOptions } from './words.ts';
import { zshScript } from './zsh.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
type Shell = keyof typeof scripts;

export function addCompletion(program: Command, world: World): void {
  program
    .command('completion')
    .description('a completion script for the shell')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .addHelpText('after', '\nExamples:\n  source <(vrouterctl completion bash)\n  vrouterctl completion fish | source')
    .action((shell: Shell) => {
      world.out(scripts[shell](spotsOf(program), valueOptions(program)).trimEnd());
    });
}
