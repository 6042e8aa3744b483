/** The assignors there are, by the names a group votes with. */
import { UsageError } from "../../base/errors.ts";
import { cooperativeStickyAssignor } from "./cooperative-sticky.ts";
import type { PartitionAssignor } from "./partition-assignor.ts";
import { rangeAssignor } from "./range.ts";
import { roundRobinAssignor } from "./round-robin.ts";
import { stickyAssignor } from "./sticky.ts";

export { type Assignment, decodeAssignment, encodeAssignment } from "./assignment-bytes.ts";
export type { PartitionAssignor } from "./partition-assignor.ts";
export { decodeSubscription, encodeSubscription, type Subscription } from "./subscription-bytes.ts";

const ASSIGNORS: readonly PartitionAssignor[] = [rangeAssignor, roundRobinAssignor, stickyAssignor, cooperativeStickyAssignor];

/** Throws `INVALID_CONFIG` for a name that is none of `range`, `roundrobin`, `sticky`, `cooperative-sticky`. */
export function assignorByName(name: string): PartitionAssignor {
  const found = ASSIGNORS.find((assignor) => assignor.name === name);
  if (found !== undefined) return found;
  const known = ASSIGNORS.map((assignor) => `"${assignor.name}"`).join(", ");
  throw new UsageError("INVALID_CONFIG", `partitionAssignmentStrategy: expected one of ${known}, found "${name}"`);
}
