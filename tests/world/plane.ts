/** Which plane the gateways of tests are on, by `VROUTER_TEST_PLANE`: `linux` is the kernel of a machine of its own (`machine/`). */
export const planeWanted: 'userspace' | 'linux' = process.env.VROUTER_TEST_PLANE === 'linux' ? 'linux' : 'userspace';

/** For `skip`: why a test of the engine says nothing on another plane. */
export const needsEngine: string | false = planeWanted === 'userspace' ? false : 'this plane has no engine';
