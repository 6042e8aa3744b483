/**
 * How much there was a second, over the last eleven windows of a second: Kafka's arithmetic, so that a quota means here what it means there.
 * Pure: time is told, in milliseconds that never go back.
 *
 * Source: semantics of `quota.window.num` (11) and `quota.window.size.seconds` (1) in Kafka 3.9.
 */

export const WINDOW_MS = 1000;
export const WINDOW_COUNT = 11;
/** At least so much is taken to have passed, so that the first second of a client does not look like a flood. */
const FULL_WINDOW_COUNT_MIN: number = WINDOW_COUNT - 1;
/** A sample lives so long after the last thing recorded in it. */
const SAMPLE_LIFE_MS: number = WINDOW_COUNT * WINDOW_MS;
/** One more than the windows: the oldest may still overlap the time looked at. */
const SAMPLE_COUNT_MAX: number = WINDOW_COUNT + 1;

/** What a client may use at once from rest: `limit` times these seconds. */
export const BURST_SECONDS: number = (FULL_WINDOW_COUNT_MIN * WINDOW_MS) / 1000;

interface Sample {
  value: number;
  startMs: number;
  lastMs: number;
}

export class SampledRate {
  readonly #samples: Sample[] = [];
  #current = 0;

  /** A negative value takes back what was recorded. */
  record(value: number, nowMs: number): void {
    const sample = this.#sampleAt(nowMs);
    sample.value += value;
    sample.lastMs = nowMs;
  }

  /** All that counts now. */
  total(nowMs: number): number {
    this.#purge(nowMs);
    return this.#samples.reduce((sum, { value }) => sum + value, 0);
  }

  /** Per second. */
  rate(nowMs: number): number {
    return (this.total(nowMs) * 1000) / this.elapsedMs(nowMs);
  }

  /** What the total is divided by: since the oldest sample began, and as many whole windows more as are missing to ten. */
  elapsedMs(nowMs: number): number {
    this.#purge(nowMs);
    const elapsedMs = this.#samples.reduce((most, { startMs }) => Math.max(most, nowMs - startMs), 0);
    const missingCount = Math.max(0, FULL_WINDOW_COUNT_MIN - Math.floor(elapsedMs / WINDOW_MS));
    return Math.max(1, elapsedMs + missingCount * WINDOW_MS);
  }

  /** How long nothing may come, for the rate to be `limit` again; 0 while it is not above. */
  throttleTimeMs(limit: number, nowMs: number): number {
    const rate = this.rate(nowMs);
    return rate > limit ? Math.round(((rate - limit) / limit) * this.elapsedMs(nowMs)) : 0;
  }

  /** Whether nothing recorded counts any more. */
  isIdle(nowMs: number): boolean {
    return this.#samples.every(({ lastMs }) => nowMs - lastMs >= SAMPLE_LIFE_MS);
  }

  #sampleAt(nowMs: number): Sample {
    const current = this.#samples[this.#current];
    if (current !== undefined && nowMs - current.startMs < WINDOW_MS) return current;
    if (current !== undefined) this.#current = (this.#current + 1) % SAMPLE_COUNT_MAX;
    const next: Sample = { value: 0, startMs: nowMs, lastMs: nowMs };
    this.#samples[this.#current] = next;
    return next;
  }

  /** What is dead begins anew, empty, so that it is not the oldest. */
  #purge(nowMs: number): void {
    for (const sample of this.#samples) {
      if (nowMs - sample.lastMs < SAMPLE_LIFE_MS) continue;
      sample.value = 0;
      sample.startMs = nowMs;
      sample.lastMs = nowMs;
    }
  }
}
