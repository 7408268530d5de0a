// The chart of the README: deliveries per second as a share of the bare ceiling, ours beside others, as SVG.
import type { ThroughputRow } from './figures.ts';

/** Shares of the ceiling at fan-out 1 and 10. */
interface Bars {
  name: string;
  shares: readonly [one: number, ten: number];
  ours: boolean;
}

/** Measured once on a machine of this kind, with the same receiver, events and ceiling; durable settings. */
const OTHERS: readonly Bars[] = [
  { name: 'Svix', shares: [0.03, 0.12], ours: false },
  { name: 'WebhookX', shares: [0.04, 0.08], ours: false },
  { name: 'Outpost', shares: [0.05, 0.07], ours: false },
  { name: 'Convoy', shares: [0.005, 0.017], ours: false },
];

const NAMES: Readonly<Record<string, string>> = { sqlite: 'Bellwire on SQLite', postgres: 'Bellwire on PostgreSQL' };
const [WIDTH, LEFT, BAR, GROUP, TOP] = [720, 190, 15, 46, 64];

/** Draws the best of single and batched publish for each engine and fan-out. */
export function drawChart(rows: readonly (ThroughputRow & { ofCeiling: number })[], machine: string): string {
  const best = (engine: string, fanout: number): number =>
    Math.max(0, ...rows.filter((row) => row.engine === engine && row.fanout === fanout).map((row) => row.ofCeiling));
  const engines = [...new Set(rows.map(({ engine }) => engine))];
  const ours = engines.map((engine): Bars => {
    return { name: NAMES[engine] ?? engine, shares: [best(engine, 1), best(engine, 10)], ours: true };
  });
  const all = [...ours, ...OTHERS];
  const most = Math.max(...all.flatMap(({ shares }) => shares));
  const height = TOP + all.length * GROUP + 24;
  const groups = all.map((bars, i) => group(bars, TOP + i * GROUP, (WIDTH - LEFT - 70) / most));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
<text x="16" y="26" font-size="16" font-weight="600" fill="#1b1f24">Durable deliveries per second, as a share of the bare ceiling</text>
<text x="16" y="46" fill="#59636e">${machine}; first bar fan-out 1, second fan-out 10</text>
${groups.join('\n')}
</svg>
`;
}

function group({ name, shares, ours }: Bars, y: number, scale: number): string {
  const colours = ours ? ['#0a7d5a', '#34b48a'] : ['#8a94a0', '#b9c1ca'];
  const bars = shares.map((share, i) => {
    const [top, width] = [y + i * (BAR + 2), Math.max(1, share * scale)];
    return (
      `<rect x="${LEFT}" y="${top}" width="${width.toFixed(1)}" height="${BAR}" fill="${colours[i]}"/>` +
      `<text x="${(LEFT + width + 6).toFixed(1)}" y="${top + 12}" fill="#1b1f24">${share < 0.01 ? share.toFixed(3) : share.toFixed(2)}</text>`
    );
  });
  return `<text x="${LEFT - 10}" y="${y + BAR + 5}" text-anchor="end" fill="#1b1f24" font-weight="${ours ? 600 : 400}">${name}</text>${bars.join('')}`;
}
