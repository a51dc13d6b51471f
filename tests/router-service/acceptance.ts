/** All items that need a machine, against `router-service` as it is. Numbers as arguments: those alone. Says `served` when it could begin. */
import { makeLab } from './lab.ts';
import { life } from './life.ts';
import { names } from './names.ts';
import { traffic } from './traffic.ts';
import { vlans } from './vlans.ts';
import { begin } from './world.ts';

const began = performance.now();
const at = (what: string): void => console.log(`# ${what} at ${Math.round(performance.now() - began)} ms`);

const lab = await makeLab();
at('the hosts are there');
const world = await begin(lab);
console.log('served');
at('served');
await vlans(world);
await traffic(world);
await names(world);
await life(world);
at('done');
await world.service.kill();
process.exit();
