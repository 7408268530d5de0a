// Spans and sizes as people write them (`15s`, `10m`, `7d`, `256KiB`) and as the program counts them. Pure.

const SPANS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SIZES: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/**
 * Milliseconds of a span: a whole number of ms, or text such as `250ms`, `15s`, `1.5h`, `1h30m`, `7d`.
 * Null when it is not a span, is negative, or is not a whole number of ms.
 */
export function parseSpan(value: string | number): number | null {
  if (typeof value === 'number') return whole(value);
  const text = value.trim();
  if (/^\d+$/.test(text)) return whole(Number(text));
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return null;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    sum += Number(count) * (SPANS[unit as string] as number);
  return whole(sum);
}

/** The shortest text of a span that reads back as the same number: `90000` → `1m30s`. */
export function formatSpan(ms: number): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const length = SPANS[unit] as number;
    if (rest >= length) text += `${Math.floor(rest / length)}${unit}`;
    rest %= length;
  }
  return text;
}

/**
 * Bytes of a size: a whole number of bytes, or text such as `64KiB`, `4 MiB`, `1.5GiB` (powers of 1,024) and `10kB`,
 * `2MB` (powers of 1,000). Null when it is not a size, is negative, or is not a whole number of bytes.
 */
export function parseSize(value: string | number): number | null {
  if (typeof value === 'number') return whole(value);
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]i?b|b)?$/i.exec(value.trim());
  if (!match) return null;
  return whole(Number(match[1]) * (SIZES[(match[2] ?? 'b').toLowerCase()] as number));
}

/** A size for people: `256 KiB`, `10 MiB`, `1,000 bytes`; a power of 1,024 where it is a whole number of those. */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of [['GiB', 2 ** 30] as const, ['MiB', 2 ** 20] as const, ['KiB', 2 ** 10] as const]) {
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor} ${unit}`;
  }
  return `${bytes.toLocaleString('en-US')} bytes`;
}

function whole(value: number): number | null {
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}
