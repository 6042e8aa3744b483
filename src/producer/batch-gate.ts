/** What a batch may have to wait for before it is handed over: the producer's id, or its partition's part in a transaction. */
import type { TopicEntry } from "./topic-directory.ts";

export interface Destination {
  readonly topic: TopicEntry;
  readonly partition: number;
}

export interface BatchGate {
  isOpenFor(topic: TopicEntry, partition: number): boolean;
  /** Resolves when it is open for all of these; rejects with what keeps it shut. */
  open(destinations: readonly Destination[]): Promise<void>;
}
