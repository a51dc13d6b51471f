/** The contract suite on the kernel of this machine, in the network namespace of this process, which is to be one of its own. */
import { driverContract } from '@vrouter/drivers/contract/suite.ts';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { testLinux } from './options.ts';

// A guest has no environment of ours: `NAME=value` are arguments.
for (const said of process.argv.slice(2)) {
  const [name = '', value = ''] = said.split('=');
  process.env[name] = value;
}

driverContract('linux', async () => {
  const { driver, close } = await linuxPlane(testLinux());
  return {
    driver,
    async dispose() {
      const signal = AbortSignal.timeout(10_000);
      const builtIn = driver.capabilities().builtIn;
      // What stands on others goes along with them.
      const left = (await driver.observe('all', signal)).filter(({ key }) => !builtIn.includes(key)).reverse();
      await driver.apply(
        left.map(({ key, object }) => ({ op: 'delete', key, before: object, effect: 'interrupt' })),
        signal,
      );
      await close();
    },
  };
});
