/** Where a consumer stands in one partition that it reads. */
import type { TopicPartition } from "../api/bytes.ts";

//   moved past          handFrom         position            fetchOffset
//  ──────────────────────┼─ in hand ───────┼─ buffered here ────┼─ not read yet ──
//   commit() ends here    without a record  what position()     where the next
//                         in hand: position tells               fetch begins

export class PartitionState implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** The next offset after what was delivered; null until it has been looked up. */
  position: number | null = null;
  /** The first offset of what the caller has in hand; null when nothing. */
  handFrom: number | null = null;
  /** A seek whose offset has not been looked up. */
  target: "earliest" | "latest" | null = null;
  /** Where the next fetch begins; as `position` when nothing is buffered. */
  fetchOffset = 0;
  /** Counts what made buffered data wrong: seeks, pauses, revocation. Data of another epoch is dropped. */
  epoch = 0;
  paused = false;
  /** Taken away: kept only by what still points here. */
  revoked = false;
  /** The end of what may be read, as last seen. */
  readableEnd = 0;
  /** What the group has, as far as this consumer knows: nothing is committed when `movedPast` equals it. */
  committed: number | null = null;
  /** Where `autoOffsetReset: "earliest"` put it: standing there, nothing has been moved past. */
  startedAt: number | null = null;
  /** Where an aborted transaction leads back to: the last seek or reset since the last commit; null: to what the group has committed. */
  rewindTo: number | null = null;
  /** An offset of which nobody can say whether it was committed: where the group has it, that is where a rewind leads. */
  inDoubt: number | null = null;
  /** An explicit commit may run ahead of what was moved past; what follows by itself never falls behind it. */
  committedFloor = 0;

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic;
    this.partition = partition;
  }

  /** What the caller has moved past; null: nothing is known of this partition yet. */
  get movedPast(): number | null {
    return this.handFrom ?? this.position;
  }

  /** The offset that a commit of everything up to `end` should write; null: nothing new. */
  commitOf(end: number | null): number | null {
    if (end === null || end === this.committed || end < this.committedFloor) return null;
    return this.committed === null && end === this.startedAt ? null : end;
  }

  /** Sets where reading goes on; what was fetched and what is in hand no longer counts. */
  moveTo(offset: number | null): void {
    this.position = offset;
    this.handFrom = null;
    this.committedFloor = 0;
    this.drop();
  }

  /** Forgets what was fetched ahead. */
  drop(): void {
    this.epoch += 1;
    this.fetchOffset = this.position ?? 0;
  }

  /** The caller gives back what it has in hand: it is delivered again. */
  giveBack(): void {
    if (this.handFrom === null) return;
    this.position = this.handFrom;
    this.handFrom = null;
    this.drop();
  }

  toString(): string {
    return partitionKey(this);
  }
}

/** A partition as Kafka writes it, `orders-0`: the topic is what stands before the last dash. */
export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
