/** Reads the model out of `intents.md` and `objects.md`, and makes the README's tables of it: what is drawn is said once. */

export const fieldClasses = ['key', 'desired', 'fixed', 'initial', 'writeOnly', 'learned'] as const;
export type DrawnClass = (typeof fieldClasses)[number];

export interface DrawnField {
  readonly name: string;
  /** As the page says it: one of `fieldClasses`, or something that a test complains about. */
  readonly of: string;
  readonly later: boolean;
  /** Of intents: what it holds. */
  readonly type: string;
}

export interface DrawnKind {
  readonly kind: string;
  readonly now: boolean;
  readonly text: string;
  readonly fields: readonly DrawnField[];
}

/** The kinds of one page, in its order. */
export function readKinds(page: string): DrawnKind[] {
  return page.split(/^##+ /m).flatMap((text) => {
    const head = /^`(\w+)` - (now|later)\n/.exec(text);
    if (head === null) return [];
    const lines = text.split('\n');
    const from = lines.findIndex((line) => /^\| field +\|/.test(line));
    const rows =
      from < 0
        ? []
        : lines.slice(
            from + 2,
            lines.findIndex((line, i) => i > from && !line.startsWith('|')),
          );
    const fields = rows.flatMap((row) => {
      const [, names, classes, type] = row.split('|').map((cell) => cell.trim());
      const [of, ...rest] = classes!.split(', ');
      const later = rest.includes('later') || head[2] === 'later';
      return namesIn(names!).map((name) => ({ name, of: of!, later, type: type ?? '' }));
    });
    return [{ kind: head[1]!, now: head[2] === 'now', text, fields }];
  });
}

/** The kinds of objects that an intent comes to: the quoted words of its "Comes to". */
export function comesTo(intent: DrawnKind, objects: ReadonlySet<string>): string[] {
  const after =
    /Comes to\b([\s\S]*?)(?:Refers to:|Claims:|Facts?:|Allocates:|Said by|\n\n|$)/.exec(intent.text)?.[1] ?? '';
  return [...new Set(namesIn(after).filter((word) => objects.has(word)))];
}

/** Who serves an object kind on userspace, linux and VPP: the table at the head of `objects.md`. Null when it is not there. */
export function servedBy(objectsPage: string, kind: string): string | null {
  const row = new RegExp(`\\| \`${kind}\` +\\| [^|]+ \\| ([USC-]) +\\| ([LSC-]) +\\| ([VSC-])`).exec(objectsPage);
  return row === null ? null : row.slice(1, 4).join(' ');
}

/** The key fields, as the page's own words have them: `Key: a, b.` of an intent. */
export function saidKey(intent: DrawnKind): string[] {
  return /Key: ([\w, ]+)\./.exec(intent.text)?.[1]?.split(', ') ?? [];
}

/** The two tables of the README: every kind, every field, its class. */
export function readmeTables(intentsPage: string, objectsPage: string): string {
  const intents = readKinds(intentsPage);
  const objects = readKinds(objectsPage);
  const known = new Set(objects.map(({ kind }) => kind));
  const rows = intents.map((intent) => [
    ...cells(intent),
    comesTo(intent, known)
      .map((kind) => `\`${kind}\``)
      .join(', ') || '-',
    when(intent),
  ]);
  const planes = objects.map((object) => [...cells(object), servedBy(objectsPage, object.kind) ?? '', when(object)]);
  return [
    table(['intent', 'key', 'fields by class', 'comes to', 'code'], rows),
    table(['object', 'key', 'fields by class', 'U L V', 'code'], planes),
  ].join('\n\n');
}

function cells(kind: DrawnKind): string[] {
  const mark = (field: DrawnField): string => `\`${field.name}\`${field.later && kind.now ? ' (later)' : ''}`;
  const of = (name: DrawnClass): string =>
    kind.fields
      .filter((field) => field.of === name)
      .map(mark)
      .join(', ');
  const rest = fieldClasses
    .filter((name) => name !== 'key' && of(name) !== '')
    .map((name) => `**${name}** ${of(name)}`);
  return [`\`${kind.kind}\``, of('key'), rest.join('; ') || '-'];
}

function when(kind: DrawnKind): string {
  return kind.now ? 'now' : 'later';
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/`(\w+)`/g)].map((match) => match[1]!);
}
