/** How many workers the engines of tests get, by `VROUTER_TEST_WORKERS`; null: as the engine itself decides. */
export const workersWanted: number | null =
  process.env.VROUTER_TEST_WORKERS === undefined ? null : Number(process.env.VROUTER_TEST_WORKERS);

/** The same as options of an engine. */
export const workerOptions: readonly string[] = workersWanted === null ? [] : ['--workers', String(workersWanted)];
