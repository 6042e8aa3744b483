/** Kafka's rules for a batch of an idempotent or transactional producer on its way into a partition (semantics: idempotent producer). */
import { ProducerStateError } from "../../base/errors.ts";
import { type ProducerBatch, type ProducerEntry, sequenceAfter } from "./producer-entry.ts";

/** What a coordinator writes on a producer's behalf has no sequence; its own turns keep the order. Clients are kept from sending it. */
const NO_SEQUENCE = -1;

/** What the header of the batch says. */
export interface ProducerClaim {
  readonly producerEpoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly transactional: boolean;
}

/**
 * null: it may be written. A batch: that one is it already, and stands in the log. Throws a `ProducerStateError`.
 * `entry` null: this partition does not know the producer.
 */
export function checkBatch(entry: ProducerEntry | null, claim: ProducerClaim, producerId: bigint, where: string): ProducerBatch | null {
  const { producerEpoch, firstSequence, lastSequence } = claim;
  // Nothing is known of it any more, or nothing ever was: any sequence will do.
  if (entry === null || entry.producerEpoch < 0) return null;
  const isNumbered = firstSequence !== NO_SEQUENCE;
  const expected = producerEpoch === entry.producerEpoch ? nextSequence(entry) : 0;
  // What comes in order repeats nothing.
  if (isNumbered && producerEpoch === entry.producerEpoch && firstSequence !== expected) {
    const duplicate = entry.find(firstSequence, lastSequence);
    if (duplicate !== null) return duplicate;
  }
  if (producerEpoch < entry.producerEpoch) throw staleEpoch(entry, producerEpoch, where);
  if (isNumbered && firstSequence !== expected) {
    const message = `${where}: producer ${producerId}, epoch ${producerEpoch}: expected sequence ${expected}, found ${firstSequence}; batches before it were lost, or another producer uses its id`;
    throw new ProducerStateError("OUT_OF_ORDER_SEQUENCE_NUMBER", message);
  }
  if (entry.transactionFirstOffset >= 0 && !claim.transactional) {
    const message = `${where}: producer ${producerId}, epoch ${producerEpoch}: expected a batch of the transaction it began at offset ${entry.transactionFirstOffset}, found one outside of it`;
    throw new ProducerStateError("INVALID_TXN_STATE", message);
  }
  return null;
}

/** A marker of an older producer, or of a coordinator that another has replaced. */
export function checkMarker(entry: ProducerEntry | null, producerEpoch: number, coordinatorEpoch: number, where: string): void {
  if (entry === null) return;
  if (producerEpoch < entry.producerEpoch) throw staleEpoch(entry, producerEpoch, where);
  if (coordinatorEpoch < entry.coordinatorEpoch) {
    const message = `${where}: producer ${entry.producerId}: expected a marker of coordinator epoch ${entry.coordinatorEpoch} or more, found ${coordinatorEpoch}`;
    throw new ProducerStateError("TRANSACTION_COORDINATOR_FENCED", message);
  }
}

/** 0 after nothing but markers. */
function nextSequence(entry: ProducerEntry): number {
  return entry.lastSequence < 0 ? 0 : sequenceAfter(entry.lastSequence, 1);
}

function staleEpoch(entry: ProducerEntry, found: number, where: string): ProducerStateError {
  const message = `${where}: producer ${entry.producerId}: expected epoch ${entry.producerEpoch} or more, found ${found}; a newer producer has taken its place`;
  return new ProducerStateError("INVALID_PRODUCER_EPOCH", message);
}
