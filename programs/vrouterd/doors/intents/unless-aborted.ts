/**
 * What the work comes to, or the signal's reason, whichever is first; the work behind it goes on. Where the signal has been aborted before, the work does
 * not begin: nobody would hold its promise, and a rejection that nobody holds ends the whole program.
 */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const gone = Promise.withResolvers<never>();
  const abort = (): void => gone.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work(), gone.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
