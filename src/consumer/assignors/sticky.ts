/** Kafka's `sticky`: balanced, moving the least; members remember what they had in user data of their own. */
import type { Bytes } from "../../api/bytes.ts";
import { ByteReader } from "../../base/byte-reader.ts";
import { ByteWriter } from "../../base/byte-writer.ts";
import type { PartitionAssignor } from "./partition-assignor.ts";
import type { Claim } from "./partition-claims.ts";
import { stickyBalance } from "./sticky-balance.ts";
import { readTopicPartitions, writeTopicPartitions } from "./topic-partitions.ts";

//  0
//  ├ last assignment: array of { topic, array of int32 } ┼ v1: generation, int32
// No version is written: the first form simply ended before the generation.

export const stickyAssignor: PartitionAssignor = {
  name: "sticky",
  protocol: "eager",

  subscriptionUserData(lastAssigned, generation) {
    if (lastAssigned.length === 0 && generation < 0) return null;
    const writer = new ByteWriter(256);
    writeTopicPartitions(writer, lastAssigned);
    return writer.int32(generation).finish();
  },

  assign(partitionCounts, members) {
    return stickyBalance(partitionCounts, members, ({ userData }) => claimFromUserData(userData));
  },
};

/** An eager member owns nothing while it joins, so `ownedPartitions` are not looked at. User data of another make claims nothing. */
function claimFromUserData(userData: Bytes | null): Claim {
  if (userData === null) return { partitions: [], generation: -1 };
  try {
    const reader = new ByteReader(userData, "sticky user data");
    const partitions = readTopicPartitions(reader);
    return { partitions, generation: reader.remaining >= 4 ? reader.int32() : -1 };
  } catch {
    // Losing the memory costs moves, refusing the member would cost the group.
    return { partitions: [], generation: -1 };
  }
}
