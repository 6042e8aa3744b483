/** Kafka's `range`: topic by topic, each member gets one run of neighbouring partitions. */
import type { TopicPartition } from "../../api/bytes.ts";
import { membersInOrder } from "./member-order.ts";
import type { PartitionAssignor } from "./partition-assignor.ts";

export const rangeAssignor: PartitionAssignor = {
  name: "range",
  protocol: "eager",
  subscriptionUserData: () => null,

  assign(partitionCounts, members) {
    const assignments = new Map<string, TopicPartition[]>();
    const subscribers = new Map<string, string[]>();
    for (const memberId of membersInOrder(members)) {
      assignments.set(memberId, []);
      for (const topic of new Set(members.get(memberId)?.topics)) {
        const known = subscribers.get(topic);
        if (known === undefined) subscribers.set(topic, [memberId]);
        else known.push(memberId);
      }
    }
    for (const [topic, memberIds] of [...subscribers].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const partitionCount = partitionCounts.get(topic) ?? 0;
      const share = Math.floor(partitionCount / memberIds.length);
      const withOneMore = partitionCount % memberIds.length;
      let partition = 0;
      for (const [index, memberId] of memberIds.entries()) {
        const end = partition + share + (index < withOneMore ? 1 : 0);
        for (; partition < end; partition++) assignments.get(memberId)?.push({ topic, partition });
      }
    }
    return assignments;
  },
};
