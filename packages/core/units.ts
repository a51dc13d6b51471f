/** Numbers as people read them. */
const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0 B`, `999 B`, `1.2 MiB`, `310 GiB`. */
export function bytesText(count: number): string {
  let value = count;
  let unit = 0;
  // 999.5 would be shown as 1000 in the smaller unit.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < sizes.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${sizes[unit]}`;
}

/** A span of time in its largest unit: `0 s`, `12 s`, `3 min`, `5 h`, `41 d`. */
export function spanText(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 90) return `${Math.round(s)} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}

/** `12 s ago`, `in 3 d`; `never` for null. */
export function whenText(unixMs: number | null, nowUnixMs: number): string {
  if (unixMs === null) return 'never';
  return unixMs > nowUnixMs + 1500 ? `in ${spanText(unixMs - nowUnixMs)}` : `${spanText(nowUnixMs - unixMs)} ago`;
}
