/** The balance that moves the least: what both sticky assignors compute, each from its own members' claims. */
import type { TopicPartition } from "../../api/bytes.ts";
import { type Claim, NOBODY, type TopicOwners, topicOwners } from "./partition-claims.ts";
import type { Subscription } from "./subscription-bytes.ts";
import { levelUnequal } from "./unequal-balance.ts";

/**
 * With equal subscriptions no member ends with more than one partition above another, and no assignment so balanced moves
 * fewer. With unequal ones no single move would make it more even. Members are taken in order of their ids.
 */
export function stickyBalance(
  partitionCounts: ReadonlyMap<string, number>,
  members: ReadonlyMap<string, Subscription>,
  claimOf: (subscription: Subscription) => Claim,
): Map<string, TopicPartition[]> {
  const entries = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
  const topicsOf: ReadonlySet<string>[] = entries.map(
    ([, { topics }]) => new Set(topics.filter((topic) => (partitionCounts.get(topic) ?? 0) > 0)),
  );
  const topicNames = new Set<string>();
  for (const topics of topicsOf) for (const topic of topics) topicNames.add(topic);
  const topics = topicOwners(
    [...topicNames].sort().map((topic) => ({ topic, partitionCount: partitionCounts.get(topic) as number })),
    topicsOf,
    entries.map(([, subscription]) => claimOf(subscription)),
  );
  if (topicsOf.every((subscribed) => subscribed.size === topicNames.size)) levelEqual(topics, entries.length);
  else levelUnequal(topics, topicsOf);

  const hands: TopicPartition[][] = entries.map(() => []);
  for (const { topic, ownerOf } of topics) {
    for (const [partition, member] of ownerOf.entries()) hands[member]?.push({ topic, partition });
  }
  return new Map(entries.map(([memberId], member) => [memberId, hands[member] as TopicPartition[]]));
}

/** Everyone keeps up to the share (a few, those who have it already, one more); what is left over is dealt to who lacks. */
function levelEqual(topics: readonly TopicOwners[], memberCount: number): void {
  if (memberCount === 0) return;
  const partitionCount = topics.reduce((sum, { ownerOf }) => sum + ownerOf.length, 0);
  const share = Math.floor(partitionCount / memberCount);
  let oneMoreLeft = partitionCount % memberCount;

  const held = new Int32Array(memberCount);
  for (const { ownerOf } of topics) for (const member of ownerOf) if (member !== NOBODY) held[member] = (held[member] as number) + 1;
  const allowed = new Int32Array(memberCount);
  for (let member = 0; member < memberCount; member++) {
    const keepsOneMore = (held[member] as number) > share && oneMoreLeft > 0;
    if (keepsOneMore) oneMoreLeft--;
    allowed[member] = share + (keepsOneMore ? 1 : 0);
  }

  // Who still wants: dealt round, so that the partitions of one topic spread over many.
  const load = new Int32Array(memberCount);
  const unowned: [TopicOwners, number][] = [];
  for (const topic of topics) {
    for (const [partition, member] of topic.ownerOf.entries()) {
      if (member !== NOBODY && (load[member] as number) < (allowed[member] as number)) load[member] = (load[member] as number) + 1;
      else unowned.push([topic, partition]);
    }
  }
  let wanting = [...allowed.keys()].filter((member) => (load[member] as number) <= share);
  let taken = 0;
  while (taken < unowned.length) {
    const stillWanting: number[] = [];
    for (const member of wanting) {
      const next = unowned[taken];
      if (next === undefined) break;
      const memberLoad = load[member] as number;
      if (memberLoad === share && oneMoreLeft === 0) continue;
      if (memberLoad === share) oneMoreLeft--;
      next[0].ownerOf[next[1]] = member;
      load[member] = memberLoad + 1;
      taken++;
      if (memberLoad < share) stillWanting.push(member);
    }
    wanting = stillWanting;
  }
}
