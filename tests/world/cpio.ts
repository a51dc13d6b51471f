/** Archives in the format that the kernel unpacks at its start (`newc`, Documentation/driver-api/early-userspace/buffer-format.rst). */

/** A folder has no content; `mode` is that of stat(2), kind included. */
export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly content?: Uint8Array;
}

export const FOLDER = 0o40755;
export const PROGRAM = 0o100755;

export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts = [...entries, { name: 'TRAILER!!!', mode: 0 }].flatMap(({ name, mode, content }: CpioEntry, index) => {
    const fields = [index + 1, mode, 0, 0, 1, 0, content?.length ?? 0, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    return [padded(new TextEncoder().encode(head)), padded(content ?? new Uint8Array(0))];
  });
  return Buffer.concat(parts);
}

/** Everything begins at a multiple of four bytes. */
function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((bytes.length + 3) & ~3);
  whole.set(bytes);
  return whole;
}
