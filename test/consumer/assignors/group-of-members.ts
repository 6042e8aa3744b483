/** A group of members for assignor tests: what each subscribes to, remembers and owns, from one assignment to the next. */
import fc from "fast-check";
import type { TopicPartition } from "../../../src/api/bytes.ts";
import {
  decodeSubscription,
  encodeSubscription,
  type PartitionAssignor,
  type Subscription,
} from "../../../src/consumer/assignors/index.ts";

export type Assigned = ReadonlyMap<string, readonly TopicPartition[]>;

export const name = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;

/** The members as the leader sees them: through the bytes. */
export function subscriptions(
  assignor: PartitionAssignor,
  topicsOf: ReadonlyMap<string, readonly string[]>,
  last: Assigned = new Map(),
  generation = -1,
): Map<string, Subscription> {
  const members = new Map<string, Subscription>();
  for (const [memberId, topics] of topicsOf) {
    const had = last.get(memberId) ?? [];
    const lastGeneration = last.has(memberId) ? generation : -1;
    const userData = assignor.subscriptionUserData(had, lastGeneration);
    const ownedPartitions = assignor.protocol === "cooperative" ? had : [];
    members.set(memberId, decodeSubscription(encodeSubscription({ topics, userData, ownedPartitions, generation: lastGeneration })));
  }
  return members;
}

/** Every partition of every topic someone subscribes to. */
export function subscribedPartitions(counts: ReadonlyMap<string, number>, members: ReadonlyMap<string, Subscription>): string[] {
  const topics = new Set([...members.values()].flatMap((subscription) => subscription.topics));
  return [...topics]
    .flatMap((topic) => Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => name({ topic, partition })))
    .sort();
}

/** How many partitions have another owner than before, not counting those whose owner has gone. */
export function movedCount(before: Assigned, after: Assigned): number {
  const ownerAfter = new Map([...after].flatMap(([memberId, partitions]) => partitions.map((tp) => [name(tp), memberId] as const)));
  let moved = 0;
  for (const [memberId, partitions] of before) {
    if (after.has(memberId)) for (const tp of partitions) if (ownerAfter.get(name(tp)) !== memberId) moved++;
  }
  return moved;
}

export const countsArbitrary: fc.Arbitrary<Map<string, number>> = fc
  .array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 5 })
  .map((counts) => new Map(counts.map((count, index) => [`topic-${index}`, count])));

export const memberIdsArbitrary: fc.Arbitrary<string[]> = fc
  .uniqueArray(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 12 })
  .map((ids) => ids.map((id) => `member-${id}`));

/** Members that each subscribe to some of the topics, and perhaps to one that does not exist. */
export const unequalArbitrary: fc.Arbitrary<{ counts: Map<string, number>; topicsOf: Map<string, string[]> }> = fc
  .tuple(countsArbitrary, memberIdsArbitrary)
  .chain(([counts, ids]) =>
    fc
      .array(fc.subarray([...counts.keys(), "not-there"]), { minLength: ids.length, maxLength: ids.length })
      .map((topics) => ({ counts, topicsOf: new Map(ids.map((id, index) => [id, topics[index] ?? []])) })),
  );
