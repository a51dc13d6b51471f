/**
 * Who may import whom, and why the others may not. `docs/map.md` draws it; `deps.test.ts` holds the code to it. A package is named by
 * its folder; a program as `programs/x`, which nobody imports.
 */

export const packageNames = ['core', 'wire', 'protocols', 'engine', 'intent', 'drivers', 'host', 'api'] as const;
export const programNames = ['controller', 'vrouterd', 'engine', 'cli', 'demo'] as const;

export type PackageName = (typeof packageNames)[number];
export type ProgramName = (typeof programNames)[number];
export type Importer = PackageName | `programs/${ProgramName}`;

/** Packages that know no Node and no browser: no `node:` import either. */
export const purePackages: readonly PackageName[] = ['core', 'wire', 'protocols', 'engine', 'intent'];

/**
 * What an importer may use of ours. A path narrows it: `engine/control/` is that folder alone. `from` narrows the importing side:
 * only files below that folder of the importer.
 */
export interface Arrow {
  readonly to: PackageName | `${PackageName}/${string}/`;
  readonly from?: string;
}

const to = (...names: readonly Arrow['to'][]): readonly Arrow[] => names.map((name) => ({ to: name }));

export const arrows: { readonly [I in Importer]: readonly Arrow[] } = {
  core: [],
  wire: to('core'),
  protocols: to('core', 'wire'),
  engine: to('core', 'wire', 'protocols'),
  intent: to('core'),
  drivers: [...to('core', 'wire', 'intent'), { to: 'engine', from: 'userspace/' }],
  host: to('core'),
  api: to('core'),
  'programs/controller': to('core', 'intent', 'api', 'host/files/'),
  'programs/vrouterd': [
    ...to('core', 'intent', 'api', 'host', 'drivers', 'engine/control/', 'wire/pcap/'),
    { to: 'wire/uapi/', from: 'doors/wg/' },
  ],
  // Of the Linux plane, what sets up the kernel's side of a device that the engine itself owns.
  'programs/engine': to('core', 'wire', 'protocols', 'engine', 'host', 'drivers/linux/'),
  'programs/cli': to('core', 'api'),
  'programs/demo': to('core', 'wire', 'protocols', 'host', 'api'),
};

/** Why an arrow is missing: the most particular reason wins. */
const reasons: readonly { readonly from: Importer | '*'; readonly to: PackageName; readonly why: string }[] = [
  {
    from: 'wire',
    to: 'protocols',
    why: 'a format knows no behaviour: what is decided about a message is a protocol, not its bytes',
  },
  { from: 'protocols', to: 'engine', why: 'a mind must run in a simulator without a packet machine around it' },
  {
    from: 'protocols',
    to: 'host',
    why: 'a mind has no hands: what it needs of the world is an interface in its ports.ts',
  },
  {
    from: 'engine',
    to: 'host',
    why: 'the engine declares the Port it needs; programs/engine hands it one that host made',
  },
  {
    from: 'engine',
    to: 'intent',
    why: 'the engine knows tables and actions; what people said became those in drivers/userspace',
  },
  { from: 'engine', to: 'drivers', why: 'drivers call the engine: the arrow would make a circle' },
  { from: 'intent', to: 'drivers', why: 'a plan knows no plane: the driver that applies it is chosen by the program' },
  { from: 'intent', to: 'wire', why: 'what should be true has no bytes on a cable' },
  { from: 'intent', to: 'api', why: 'clients come and go; what people mean outlives the formats in which they say it' },
  {
    from: 'drivers',
    to: 'engine',
    why: 'only drivers/userspace speaks to the engine; the other planes must work without it',
  },
  { from: 'drivers', to: 'protocols', why: 'minds are put on a plane by the shells of vrouterd, not by a driver' },
  {
    from: 'drivers',
    to: 'host',
    why: 'a driver declares the socket it needs and so is tested without root; vrouterd hands it one',
  },
  { from: 'drivers', to: 'api', why: 'a driver knows objects and no client' },
  { from: 'host', to: 'wire', why: 'host knows the structs of syscalls and no format that crosses a cable' },
  {
    from: 'host',
    to: 'engine',
    why: 'host happens to have the shape that the engine asks for; knowing it would tie the native door to one user',
  },
  {
    from: 'host',
    to: 'protocols',
    why: 'host happens to have the shape that the protocols ask for; knowing it would tie the native door to one user',
  },
  {
    from: 'api',
    to: 'intent',
    why: 'api runs in a browser and in older clients; the programs translate between the two',
  },
  { from: 'api', to: 'host', why: 'api runs in a browser' },
  {
    from: 'programs/controller',
    to: 'host',
    why: 'the controller runs where there is no native code; of host it may use files/ alone',
  },
  { from: 'programs/controller', to: 'drivers', why: 'the controller holds intents; planes are on the gateways' },
  {
    from: 'programs/vrouterd',
    to: 'engine',
    why: 'the engine is another process: vrouterd knows the client of its socket (engine/control) and no more',
  },
  {
    from: 'programs/vrouterd',
    to: 'wire',
    why: 'a packet in vrouterd belongs to a shell, and there is none yet; captures are files (wire/pcap), wg(8) has a door',
  },
  { from: 'programs/vrouterd', to: 'protocols', why: 'a mind in vrouterd belongs to a shell, and there is none yet' },
  {
    from: 'programs/engine',
    to: 'intent',
    why: 'the engine is configured over its socket; what people said stays in vrouterd',
  },
  {
    from: 'programs/engine',
    to: 'drivers',
    why: 'the driver is the other end of its socket; only drivers/linux has something for the engine itself',
  },
  { from: 'programs/engine', to: 'api', why: 'strangers talk to vrouterd, which talks to the engine' },
  {
    from: 'programs/demo',
    to: 'engine',
    why: 'the demo runs the real programs as processes; it is a client like any other',
  },
  { from: '*', to: 'core', why: 'core is the words of everyone and has none above it' },
  { from: '*', to: 'wire', why: 'bytes on a cable are the business of protocols, engine and drivers' },
  { from: '*', to: 'protocols', why: 'minds are run by the engine and by the shells' },
  { from: '*', to: 'engine', why: 'only drivers/userspace and programs/engine know the packet machine' },
  { from: '*', to: 'intent', why: 'what should be true is the business of controller, vrouterd and drivers' },
  { from: '*', to: 'drivers', why: 'planes are driven by vrouterd alone' },
  { from: '*', to: 'host', why: 'the native door is opened by programs: libraries are handed what they need' },
  { from: '*', to: 'api', why: 'what strangers see is the business of programs: libraries know no client' },
];

/** Whether `importer`, from its file `fromFile` (path inside the importer), may import `target` (`drivers/linux/x.ts`). */
export function mayImport(importer: Importer, fromFile: string, target: string): boolean {
  return arrows[importer].some(
    (arrow) =>
      (arrow.to.endsWith('/')
        ? target.startsWith(arrow.to)
        : target === arrow.to || target.startsWith(`${arrow.to}/`)) &&
      (arrow.from === undefined || fromFile.startsWith(arrow.from)),
  );
}

export function reasonAgainst(importer: Importer, target: PackageName): string {
  const fit = (from: Importer | '*') => reasons.find((reason) => reason.from === from && reason.to === target);
  return (fit(importer) ?? fit('*'))!.why;
}
