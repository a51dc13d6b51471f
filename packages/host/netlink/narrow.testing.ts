/** In a namespace of its own: what `ip monitor` hears before and after its news are narrowed. Writes what it heard after as one line. */
import { execSync, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { linkIndex, narrowAddressNews } from './narrow.ts';

const run = (command: string): void => void execSync(command, { stdio: 'inherit' });
const monitor = spawn('stdbuf', ['-oL', 'ip', '-o', 'monitor', 'address', 'route'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
let heard = '';
monitor.stdout.on('data', (text) => (heard += text));
const until = async (what: RegExp): Promise<void> => {
  for (let waited = 0; !what.test(heard); waited += 10) {
    if (waited > 5000) throw new Error(`never heard ${what} in: ${heard}`);
    await delay(10);
  }
};
const both = (n: number): string => `ip addr add 10.1.0.${n}/24 dev one; ip addr add 10.2.0.${n}/24 dev two`;

run('ip link add one type bridge; ip link add two type bridge; ip link set one up; ip link set two up');
await delay(300);
run(both(1));
await until(/10\.1\.0\.1(.|\n)*10\.2\.0\.1/);
heard = '';
if (narrowAddressNews(monitor.pid!, linkIndex('two')) === 0) throw new Error('no socket was reached');
run(both(2));
await until(/10\.2\.0\.2/);
console.log(JSON.stringify({ narrowed: [...new Set(heard.match(/10\.[\d.]+\.2\b/g))] }));
narrowAddressNews(monitor.pid!, null);
run(both(3));
await until(/10\.1\.0\.3(.|\n)*10\.2\.0\.3/);
console.log(JSON.stringify({ absent: narrowAddressNews(2 ** 22 + 1, 1), noLink: linkIndex('nowhere') }));
monitor.kill();
