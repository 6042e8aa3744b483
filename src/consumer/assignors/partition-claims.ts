/** Which member may keep which partition: the claims of all members, weighed against each other. */
import type { TopicPartition } from "../../api/bytes.ts";

/** What one member says it held, and since which generation; -1 when it does not know. */
export interface Claim {
  readonly partitions: readonly TopicPartition[];
  readonly generation: number;
}

/** A topic that exists and that someone subscribes to; its owners by partition. */
export interface TopicOwners {
  readonly topic: string;
  /** The member's index, or `NOBODY`. */
  readonly ownerOf: Int32Array;
}

export const NOBODY = -1;

/**
 * The newest generation wins a partition; two members of the same generation both lose it, since one of them is mistaken
 * and nothing tells which. A claim counts only if the partition exists and the member still subscribes to its topic.
 */
export function topicOwners(
  topics: readonly { readonly topic: string; readonly partitionCount: number }[],
  topicsOf: readonly ReadonlySet<string>[],
  claims: readonly Claim[],
): TopicOwners[] {
  const byTopic = new Map<string, { owners: TopicOwners; generationOf: Int32Array }>();
  for (const { topic, partitionCount } of topics) {
    const owners = { topic, ownerOf: new Int32Array(partitionCount).fill(NOBODY) };
    byTopic.set(topic, { owners, generationOf: new Int32Array(partitionCount).fill(-2) });
  }
  for (const [member, claim] of claims.entries()) {
    for (const { topic, partition } of claim.partitions) {
      const known = byTopic.get(topic);
      const newest = known?.generationOf[partition];
      if (known === undefined || newest === undefined || !topicsOf[member]?.has(topic)) continue;
      if (claim.generation > newest) {
        known.owners.ownerOf[partition] = member;
        known.generationOf[partition] = claim.generation;
      } else if (claim.generation === newest && known.owners.ownerOf[partition] !== member) {
        known.owners.ownerOf[partition] = NOBODY;
      }
    }
  }
  return [...byTopic.values()].map(({ owners }) => owners);
}
