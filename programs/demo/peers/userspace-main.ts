/** A WireGuard peer without privileges, as a process. It knows nothing but its wg-quick file. Usage: userspace-main.ts FILE */
import { readFileSync } from 'node:fs';
import { serveCommands } from '../traffic/agent.ts';
import { UserspaceStack } from './userspace-stack.ts';
import { parseWgQuickFile } from './wg-quick-file.ts';

const file = parseWgQuickFile(readFileSync(process.argv[2] ?? '', 'utf8'));
await serveCommands(await UserspaceStack.open(file));
