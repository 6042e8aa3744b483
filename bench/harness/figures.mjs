/** Arithmetic over figures, and how a person reads one. */

export function median(figures) {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(figures, share) {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** Seconds that a lap took. */
export async function seconds(lap) {
  const started = performance.now();
  await lap();
  return (performance.now() - started) / 1000;
}

/** 1234567 is "1.23 M". */
export function short(figure) {
  if (figure === 0) return "0";
  if (figure >= 1e9) return `${(figure / 1e9).toFixed(2)} G`;
  if (figure >= 1e6) return `${(figure / 1e6).toFixed(2)} M`;
  if (figure >= 1e4) return `${(figure / 1e3).toFixed(1)} k`;
  if (figure >= 1e3) return `${(figure / 1e3).toFixed(2)} k`;
  if (figure >= 100) return figure.toFixed(0);
  if (figure >= 10) return figure.toFixed(1);
  return figure.toFixed(3);
}

export function percent(ratio) {
  return (ratio * 100).toFixed(ratio < 0.1 ? 1 : 0);
}

/** Whether a budget `{ ratio }`, `{ atMost }` or `{ atLeast }` is kept, as an answer and in words. */
export function judged(budget, { value, ratio }) {
  if (budget.ratio !== undefined) return { isMet: ratio >= budget.ratio, words: `${percent(budget.ratio)} %` };
  if (budget.atMost !== undefined) return { isMet: value <= budget.atMost, words: `at most ${plain(budget.atMost)}` };
  return { isMet: value >= budget.atLeast, words: `at least ${plain(budget.atLeast)}` };
}

function plain(figure) {
  return figure >= 1e4 ? short(figure) : String(figure);
}
