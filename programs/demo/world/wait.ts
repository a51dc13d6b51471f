import { setTimeout as delay } from 'node:timers/promises';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

/** Asks until the answer is neither null nor a failure, at most `ms`. The wait between two questions grows from 2 to 50 ms. */
export async function waitFor<T>(what: string, ms: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + ms;
  let last = '';
  for (let pause = 2; ; pause = Math.min(50, pause * 1.3)) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (thrown) {
      last = thrown instanceof Error ? `: ${thrown.message}` : '';
    }
    if (performance.now() > deadline)
      throw new ProblemError(problem('timeout', `waited ${ms / 1000} s for ${what} in vain${last}`));
    await delay(pause);
  }
}
