/** `poll()`: up to so many records at once, as soon as there are any. */
import type { ConsumerRecord } from "../api/consumer.ts";
import type { Clock } from "../base/clock.ts";
import { SerdeError } from "../base/errors.ts";
import { type IteratorParts, skipOrThrow } from "./record-iterator.ts";
import { Session } from "./session.ts";

export interface PollOptions {
  readonly timeoutMs: number;
  readonly maxRecords: number;
  readonly signal: AbortSignal | undefined;
}

/** The array is in hand until the next call. Empty when the time is over. */
export async function poll<K, V>(parts: IteratorParts<K, V>, clock: Clock, options: PollOptions): Promise<ConsumerRecord<K, V>[]> {
  const { reader, hand, begin } = parts;
  const session = new Session("poll()", { signal: options.signal, isTry: options.timeoutMs === 0 });
  begin(session.call);
  reader.enter(session);
  hand.moveOn();
  const timer = options.timeoutMs === 0 ? null : clock.after(options.timeoutMs, () => reader.end(session), true);
  try {
    return await gather(parts, session, options.maxRecords);
  } catch (error) {
    hand.giveBack();
    throw error;
  } finally {
    timer?.cancel();
    hand.coversCommit = !hand.isEmpty;
    reader.leave(session);
  }
}

async function gather<K, V>(parts: IteratorParts<K, V>, session: Session, maxRecords: number): Promise<ConsumerRecord<K, V>[]> {
  const { reader, decoder, policy } = parts;
  const records: ConsumerRecord<K, V>[] = [];
  while (records.length < maxRecords) {
    if (records.length > 0) {
      if (reader.turn.isSpent()) await reader.turn.next();
      session.signal?.throwIfAborted();
      if (!reader.isReady(session)) break;
    } else if (!(await reader.advance(session))) break;
    const cursor = reader.peek();
    if (cursor === null || reader.slice === null) continue;
    try {
      records.push(decoder.decode(cursor, reader.slice.state));
      reader.deliver();
    } catch (error) {
      if (!(error instanceof SerdeError)) throw error;
      if (records.length > 0 && !policy.alwaysSkips) {
        // Given first is what stands before it; the next poll meets it.
        reader.refuse();
        break;
      }
      await skipOrThrow(parts, error);
    }
  }
  return records;
}
