/**
 * The one native door. koffi is loaded when somebody first asks, never at import: programs that need no native call (the controller)
 * do not pay for it, and a machine without a prebuilt koffi gets the fallbacks instead of a failed import.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

export type NativeLibrary = Koffi.LibraryHandle;

export interface Native {
  readonly koffi: typeof Koffi;
  /** What the process has loaded already: the C library and, inside the node binary, OpenSSL. */
  readonly self: NativeLibrary;
}

const memo: { native?: Native | null } = {};

/** koffi and the symbols of this process, or null where koffi has no build for this machine. */
export function loadNative(): Native | null {
  if (memo.native === undefined) {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
      memo.native = { koffi, self: koffi.load(null) };
    } catch {
      memo.native = null;
    }
  }
  return memo.native;
}

/** The functions, or null when one of them is missing. `signatures` maps a name to its result and its arguments. */
export function loadFunctions<F>(
  library: NativeLibrary,
  signatures: { readonly [N in keyof F & string]: readonly [result: string, parameters: readonly string[]] },
): F | null {
  const functions: { [name: string]: unknown } = {};
  try {
    for (const name of Object.keys(signatures) as (keyof F & string)[]) {
      const [result, parameters] = signatures[name];
      functions[name] = library.func(name, result, [...parameters]);
    }
  } catch {
    return null;
  }
  return functions as F;
}
