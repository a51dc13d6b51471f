/** What the system says when a device or a packet socket cannot be had, as Problems with what to do. */
import { type Problem, problem } from '@vrouter/core/problem.ts';

const GIVE = 'start it as root, or give it CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN)';

/** Why there is no TUN or TAP device. `step`: opening /dev/net/tun, or naming the device. */
export function tunProblem(step: 'open' | 'name', errnoName: string, name: string): Problem {
  if (step === 'open' && ['ENOENT', 'ENXIO', 'ENODEV'].includes(errnoName))
    return problem(
      'port.denied',
      'this machine shows no TUN: load the module (modprobe tun), or give the container the device /dev/net/tun',
      'name',
    );
  // The file's own mode, before any capability of the network is asked for.
  if (step === 'open' && errnoName === 'EACCES')
    return problem(
      'port.denied',
      'this user may not open /dev/net/tun, whatever its capabilities: chmod 0666 /dev/net/tun (alone it lets nobody make interfaces), or start it as root',
      'name',
    );
  if (step === 'open' && errnoName === 'EPERM')
    return problem('port.denied', 'this container may not use /dev/net/tun: give it the device', 'name');
  if (errnoName === 'EPERM' || errnoName === 'EACCES')
    return problem('port.denied', `the interface ${name} needs privileges: ${GIVE}`, 'name');
  if (errnoName === 'EBUSY' || (step === 'name' && errnoName === 'EINVAL'))
    return problem('port.inUse', `the host has another interface ${name}: choose another name, or remove it`, 'name');
  return problem('internal', `the interface ${name} cannot be made: ${errnoName}`, 'name');
}

/** Why there is no packet socket on an interface. */
export function packetProblem(errnoName: string, name: string): Problem {
  switch (errnoName) {
    case 'EPERM':
    case 'EACCES':
      return problem(
        'port.denied',
        `frames of ${name} need privileges: start it as root, or give it CAP_NET_RAW`,
        'interface',
      );
    case 'ENODEV':
    case 'ENXIO':
      return problem('interface.notFound', `the host has no interface ${name}`, 'interface');
    default:
      return problem('internal', `frames of ${name} cannot be had: ${errnoName}`, 'interface');
  }
}

/** Why there is neither here. */
export function noNative(what: string): Problem {
  return problem('port.denied', `${what} needs Linux on x86-64 or arm64 and the package koffi`);
}
