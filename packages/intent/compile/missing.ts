/** The sentences for intents that wait for another one. They are compiled as soon as it is said. */
import { type Problem, problem } from '@vrouter/core/problem.ts';

export function noVrf(name: string): Problem {
  return problem('intent.reference', `there is no VRF "${name}" yet; this waits until it is there`, 'vrf');
}

/** Two kinds of interfaces want one name. */
export function nameTaken(name: string, holder: string): Problem {
  return problem('intent.conflict', `the interface name ${name} is ${holder}'s; choose another name`, 'name');
}

export function noInterface(name: string): Problem {
  return problem(
    'intent.reference',
    `there is no working interface "${name}" yet; this waits until it is there`,
    'interface',
  );
}

export function noNetwork(id: string): Problem {
  return problem(
    'intent.reference',
    `there is no working network "${id}" yet; this waits until it is there`,
    'network',
  );
}
