/** Reads TypeScript just well enough for the house rules: where comments and texts are, and what a file imports. */

export interface Import {
  /** What stands between the quotes; null for a dynamic import of something computed. */
  readonly specifier: string | null;
  readonly line: number;
}

/**
 * The source with comments blanked (and with `texts: 'blank'` the insides of string and template texts too), every line where it was.
 * A regular expression is told from a division by what stands before it, which is right for code that Biome has formatted.
 */
export function codeOf(source: string, texts: 'keep' | 'blank' = 'keep'): string {
  let out = '';
  let at = 0;
  /** Depth of braces at which each open `${` ends. */
  const templates: number[] = [];
  let depth = 0;
  const take = (end: number, blank: boolean): void => {
    const part = source.slice(at, end);
    out += blank ? part.replace(/[^\n]/g, ' ') : part;
    at = end;
  };
  const takeText = (end: number): void => {
    take(at + 1, false);
    const inner = source.startsWith('${', end - 2) ? end - 2 : end - 1;
    take(Math.max(at, inner), texts === 'blank');
    take(end, false);
  };
  while (at < source.length) {
    const two = source.slice(at, at + 2);
    const one = two[0]!;
    if (two === '//') take(endOf(source, '\n', at), true);
    else if (two === '/*') take(endOf(source, '*/', at + 2) + 2, true);
    else if (one === "'" || one === '"') takeText(endOfQuoted(source, at + 1, one));
    else if (one === '`' || (one === '}' && templates.at(-1) === depth)) {
      if (one === '}') templates.pop();
      const end = endOfTemplate(source, at + 1);
      if (source[end - 1] === '{') templates.push(depth);
      takeText(end);
    } else if (one === '/' && /(?:^|[([{,;=:!&|?+>]|\breturn)\s*$/.test(out.slice(-40)))
      takeText(endOfRegExp(source, at + 1));
    else {
      if (one === '{') depth++;
      if (one === '}') depth--;
      take(at + 1, false);
    }
  }
  return out;
}

/** Static, dynamic, type and re-exporting imports of a source, in order. */
export function importsOf(source: string): Import[] {
  const code = codeOf(source);
  // The same text with its strings blanked tells code from what merely looks like it.
  const bare = codeOf(source, 'blank');
  const found: { readonly index: number; readonly specifier: string | null }[] = [];
  const patterns = [
    /^(?:import|export)\b[^;'"`]*?\bfrom\s*(['"])([^'"]*)\1/gm,
    /^import\s*(['"])([^'"]*)\1/gm,
    /\b(?:import|import\.meta\.resolve|require)\(\s*(['"`])([^'"`$]*)\1/g,
  ];
  for (const pattern of patterns) {
    for (const match of code.matchAll(pattern)) {
      if (bare.startsWith(match[0].slice(0, 6), match.index)) found.push({ index: match.index, specifier: match[2]! });
    }
  }
  for (const match of bare.matchAll(/\bimport\(\s*(?:`[^`]*\$\{|(?!['"`\s]))/g))
    found.push({ index: match.index, specifier: null });
  return found
    .sort((a, b) => a.index - b.index)
    .map(({ index, specifier }) => ({ specifier, line: lineAt(source, index) }));
}

export function lineAt(source: string, index: number): number {
  return source.slice(0, index).split('\n').length;
}

function endOf(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

function endOfQuoted(source: string, from: number, quote: string): number {
  let at = from;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') at += source[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Just behind the closing backtick, or behind the next `${`. */
function endOfTemplate(source: string, from: number): number {
  let at = from;
  while (at < source.length && source[at] !== '`') {
    if (source.startsWith('${', at)) return at + 2;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

function endOfRegExp(source: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < source.length && source[at] !== '\n' && (inClass || source[at] !== '/')) {
    if (source[at] === '[') inClass = true;
    if (source[at] === ']') inClass = false;
    at += source[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}
