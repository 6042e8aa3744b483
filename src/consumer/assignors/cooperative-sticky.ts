/** Kafka's `cooperative-sticky`: sticky, in two rebalances: what moves is revoked in the first and given in the second. */
import type { TopicPartition } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import type { PartitionAssignor } from "./partition-assignor.ts";
import type { Claim } from "./partition-claims.ts";
import { stickyBalance } from "./sticky-balance.ts";
import type { Subscription } from "./subscription-bytes.ts";

export const cooperativeStickyAssignor: PartitionAssignor = {
  name: "cooperative-sticky",
  protocol: "cooperative",

  /** The generation alone, int32, for leaders that read only version 1 subscriptions. */
  subscriptionUserData: (_lastAssigned, generation) => new ByteWriter(4).int32(generation).finish(),

  assign(partitionCounts, members) {
    const target = stickyBalance(partitionCounts, members, claimOf);
    return withholdOwned(target, members);
  },
};

function claimOf({ ownedPartitions, generation, userData }: Subscription): Claim {
  if (generation >= 0 || userData === null || userData.byteLength < 4) return { partitions: ownedPartitions, generation };
  return { partitions: ownedPartitions, generation: new ByteReader(userData, "cooperative-sticky user data").int32() };
}

/**
 * Takes back what another member still owns, be its claim older: that member revokes it on seeing its assignment, joins
 * again, and the rebalance which that begins gives it away. Where two claim the same with the same right, both must revoke.
 */
function withholdOwned(
  target: ReadonlyMap<string, readonly TopicPartition[]>,
  members: ReadonlyMap<string, Subscription>,
): Map<string, readonly TopicPartition[]> {
  const ownersOf = new Map<string, Map<number, { memberId: string | null; generation: number }>>();
  for (const [memberId, subscription] of members) {
    const { partitions, generation } = claimOf(subscription);
    for (const { topic, partition } of partitions) {
      const owners = ownersOf.get(topic) ?? new Map<number, { memberId: string | null; generation: number }>();
      ownersOf.set(topic, owners);
      const known = owners.get(partition);
      if (known === undefined || generation > known.generation) owners.set(partition, { memberId, generation });
      else if (generation === known.generation && known.memberId !== memberId) known.memberId = null;
    }
  }
  return new Map(
    [...target].map(([memberId, partitions]) => [
      memberId,
      partitions.filter(({ topic, partition }) => {
        const owner = ownersOf.get(topic)?.get(partition);
        return owner === undefined || owner.memberId === memberId;
      }),
    ]),
  );
}
