/** Rotates an authority for ever and tells what it issues, a line each; a test kills it. */
import { writeSync } from 'node:fs';
import { Authority } from './authority.ts';
import { gatewayRequest } from './contract.testing.ts';

const authority = await Authority.open(process.argv[2]!, null, Date.now);
const { read } = await gatewayRequest();
for (;;) {
  writeSync(1, `${JSON.stringify(await authority.issue('gw', read))}\n`);
  await authority.rotate();
}
