/** What one client has used, against its limits: how long its next requests must wait. Pure: limits and time are told. */
import type { QuotaKey } from "../api/odradek.ts";
import { BURST_SECONDS, SampledRate, WINDOW_MS } from "./sampled-rate.ts";

/** By quota; `Infinity`: none. */
export type Limits = (key: QuotaKey) => number;

export interface Throttle {
  /** 0: not at all. */
  readonly throttleTimeMs: number;
  /** The quota that says so: of two the one that takes longer. */
  readonly key: QuotaKey;
}

export interface FetchThrottle extends Throttle {
  /** The records are to be held back: what they took is not counted, and comes when the client asks again. */
  readonly holdsBack: boolean;
}

/** Of a thread's time, in percent: as Kafka counts it, per second. */
function percentOf(handledMs: number): number {
  return handledMs / 10;
}

export class ClientMeter {
  readonly #rates: Map<QuotaKey, SampledRate> = new Map();

  /** Counts the bytes of a batch and the time it took; it was taken, whatever the answer. */
  produced(limits: Limits, byteLength: number, handledMs: number, nowMs: number): Throttle {
    const bytes = this.#count("producerByteRate", limits, byteLength, nowMs);
    return longer(bytes, this.#countTime(limits, handledMs, nowMs));
  }

  fetched(limits: Limits, byteLength: number, handledMs: number, nowMs: number): FetchThrottle {
    const limit = limits("consumerByteRate");
    // A batch larger than a client's whole window could never pass: it does where nothing else counts.
    const isOverlarge = byteLength > limit * BURST_SECONDS;
    const passesAlone = isOverlarge && this.#rate("consumerByteRate").total(nowMs) <= 0;
    const bytes = this.#count("consumerByteRate", limits, byteLength, nowMs);
    const throttle = longer(bytes, this.#countTime(limits, handledMs, nowMs));
    const holdsBack = throttle.throttleTimeMs > 0 && byteLength > 0 && !passesAlone;
    if (holdsBack && Number.isFinite(limit)) this.#rate("consumerByteRate").record(-byteLength, nowMs);
    return { ...throttle, holdsBack };
  }

  /**
   * Bytes that a fetch may bring and not be held back. Kafka allows ten seconds' worth whatever was fetched before, and reads in vain
   * what it then holds back: a client with full windows gets half of what is its due.
   */
  fetchable(limits: Limits, nowMs: number): number {
    const limit = limits("consumerByteRate");
    if (!Number.isFinite(limit)) return limit;
    const rate = this.#rate("consumerByteRate");
    const room = (limit * rate.elapsedMs(nowMs)) / 1000 - rate.total(nowMs);
    return Math.max(0, Math.min(limit * BURST_SECONDS, Math.floor(room)));
  }

  /** Whether forgetting it changes nothing. */
  isIdle(nowMs: number): boolean {
    for (const rate of this.#rates.values()) if (!rate.isIdle(nowMs)) return false;
    return true;
  }

  #count(key: QuotaKey, limits: Limits, value: number, nowMs: number): Throttle {
    const limit = limits(key);
    if (!Number.isFinite(limit)) return { throttleTimeMs: 0, key };
    const rate = this.#rate(key);
    rate.record(value, nowMs);
    return { throttleTimeMs: rate.throttleTimeMs(limit, nowMs), key };
  }

  /** Never longer than a window: time cannot be used in advance. */
  #countTime(limits: Limits, handledMs: number, nowMs: number): Throttle {
    const { throttleTimeMs, key } = this.#count("requestPercentage", limits, percentOf(handledMs), nowMs);
    return { throttleTimeMs: Math.min(throttleTimeMs, WINDOW_MS), key };
  }

  #rate(key: QuotaKey): SampledRate {
    let rate = this.#rates.get(key);
    if (rate === undefined) {
      rate = new SampledRate();
      this.#rates.set(key, rate);
    }
    return rate;
  }
}

function longer(left: Throttle, right: Throttle): Throttle {
  return right.throttleTimeMs > left.throttleTimeMs ? right : left;
}
