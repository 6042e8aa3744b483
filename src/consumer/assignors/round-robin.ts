/** Kafka's `roundrobin`: all partitions of all topics, dealt one at a time round the members that subscribe to them. */
import type { TopicPartition } from "../../api/bytes.ts";
import { membersInOrder } from "./member-order.ts";
import type { PartitionAssignor } from "./partition-assignor.ts";

export const roundRobinAssignor: PartitionAssignor = {
  name: "roundrobin",
  protocol: "eager",
  subscriptionUserData: () => null,

  assign(partitionCounts, members) {
    const memberIds = membersInOrder(members);
    const topicsOf = memberIds.map((memberId) => new Set(members.get(memberId)?.topics));
    const hands: TopicPartition[][] = memberIds.map(() => []);
    const topics = new Set<string>();
    for (const subscribed of topicsOf) for (const topic of subscribed) topics.add(topic);
    let next = 0;
    for (const topic of [...topics].sort()) {
      const partitionCount = partitionCounts.get(topic) ?? 0;
      for (let partition = 0; partition < partitionCount; partition++) {
        // Ends: every topic here has a subscriber.
        while (!topicsOf[next]?.has(topic)) next = (next + 1) % memberIds.length;
        (hands[next] as TopicPartition[]).push({ topic, partition });
        next = (next + 1) % memberIds.length;
      }
    }
    return new Map(memberIds.map((memberId, index) => [memberId, hands[index] as TopicPartition[]]));
  },
};
