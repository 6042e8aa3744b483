/** What every test of the producer stands in: a core, a fake broker, a clock that stands still, and producers made of them. */
import type { Acks, Options } from "../../src/api/bytes.ts";
import type { Producer, ProducerOptions } from "../../src/api/producer.ts";
import type { Clock, Random } from "../../src/base/clock.ts";
import { OdradekError } from "../../src/base/errors.ts";
import { msgpack, utf8 } from "../../src/base/serde.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { createProducer } from "../../src/producer/producer.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { compressionOf } from "../compression/support.ts";
import { FakeBroker } from "./fake-broker.ts";

const core = await loadCore();

/** Repeatable chance. */
export function seeded(seed: number): Random {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { next, bytes: (count) => Uint8Array.from({ length: count }, () => next() * 256) };
}

export interface World<C extends Clock = ManualClock> {
  readonly broker: FakeBroker;
  readonly clock: C;
  readonly events: { type: string; fields: Record<string, unknown> }[];
  readonly closed: unknown[];
  producer<K = string, V = string, const A extends Acks = "all">(
    options?: Options<ProducerOptions<K, V, A>>,
    seam?: { readonly firstSequence?: number },
  ): Producer<K, V, A>;
}

export function makeWorld(): World;
export function makeWorld<C extends Clock>(clock: C): World<C>;
export function makeWorld(clock: Clock = new ManualClock(1_000_000)): World<Clock> {
  const broker = new FakeBroker(core);
  const events: World["events"] = [];
  const closed: unknown[] = [];
  return {
    broker,
    clock,
    events,
    closed,
    producer: (options, seam) =>
      createProducer(
        {
          broker,
          core,
          compression: compressionOf(core),
          clock,
          random: seeded(7),
          emit: (type, fields) => void events.push({ type, fields }),
          defaultKey: utf8 as never,
          defaultValue: (options === undefined || !("value" in options) ? utf8 : msgpack()) as never,
          onClose: (producer) => void closed.push(producer),
          ...seam,
        },
        options,
      ),
  };
}

/** The error a promise is rejected with; fails the test when it is not one of ours. */
export async function refusal(promise: Promise<unknown>): Promise<OdradekError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof OdradekError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** A promise that a test settles. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
