/** What the driver needs of whoever looks after the processes: one dnsmasq per zone. */
import type { Problem } from '@vrouter/core/problem.ts';

export interface Resolvers {
  /**
   * The process of the zone answers by the files as they are now: started when there is none, started anew when it runs by another
   * configuration, else told to read names and forwarders again. Resolves once it has read them; a problem when it did not.
   */
  keep(zone: string): Promise<Problem | null>;
  /** Ends the process, and waits for that. The folder may be taken away afterwards. Rejects with ProblemError when it does not end. */
  end(zone: string): Promise<void>;
  /** Whether a process runs that has read what it was last told to. */
  answers(zone: string): boolean;
  /** Calls back when the process of a zone has died, and when it is back. */
  onChange(callback: (zone: string) => void): void;
}
