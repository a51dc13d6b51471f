/** Tables and lists in plain text. Numbers stand to the right; what a server said cannot steer the terminal. */
export type Cell = string | number | null;

/** Heads in the first line; null is shown as `-`. No rows: the sentence in `none`. */
export function table(heads: readonly string[], rows: readonly (readonly Cell[])[], none: string): string {
  return rows.length === 0 ? none : tableInParts(heads)(rows);
}

/**
 * A table whose rows come bit by bit: the first of them settle how wide the columns are and what stands to the right, and the heads
 * are above them. What is wider later sticks out.
 */
export function tableInParts(heads: readonly string[]): (rows: readonly (readonly Cell[])[]) => string {
  let columns: readonly { readonly width: number; readonly right: boolean }[] | null = null;
  return (rows) => {
    const texts = rows.map((row) => row.map(cellText));
    if (columns === null) {
      columns = heads.map((head, column) => ({
        width: Math.max(head.length, ...texts.map((row) => row[column]!.length)),
        right: isQuantities(rows.map((row) => row[column]!)),
      }));
      texts.unshift([...heads]);
    }
    const settled = columns;
    return texts
      .map((row) =>
        row
          .map((text, i) => (settled[i]!.right ? text.padStart(settled[i]!.width) : text.padEnd(settled[i]!.width)))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  };
}

/** `name: value` lines, values aligned. */
export function pairs(rows: readonly (readonly [name: string, value: Cell])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 1;
  return rows.map(([name, value]) => `${`${name}:`.padEnd(width)} ${cellText(value)}`).join('\n');
}

/** Text of a server on one line of a terminal: control characters become `?`. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '?');
}

function cellText(cell: Cell): string {
  if (cell === null || cell === '') return '-';
  return typeof cell === 'number' ? String(cell) : plain(cell);
}

function isQuantities(cells: readonly Cell[]): boolean {
  const said = cells.filter((cell) => cell !== null);
  return said.length > 0 && said.every((cell) => typeof cell === 'number' || /^[\d.]+ (?:[KMGTP]i)?B$/.test(cell));
}
