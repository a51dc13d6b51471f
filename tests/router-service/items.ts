/** Items of the list as they are tried: one line each, `ok 12 (340 ms)` or `not ok 12 why`; the next one is tried all the same. */

/** Those that are asked for by number, or all. */
const wanted = new Set(process.argv.slice(2).map(Number));

export async function tried(number: number, body: () => Promise<void>): Promise<void> {
  if (wanted.size > 0 && !wanted.has(number)) return;
  const began = performance.now();
  try {
    await body();
    console.log(`ok ${number} (${Math.round(performance.now() - began)} ms)`);
  } catch (thrown) {
    const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    console.log(`not ok ${number} ${why.replaceAll('\n', '\\n')}`);
  }
}
