/** The order in which assignors deal to members: static members first by instance id, then the others by member id. */
import type { Subscription } from "./subscription-bytes.ts";

/** Static ids come first because they outlive a restart, so the same machine is dealt the same partitions. */
export function membersInOrder(members: ReadonlyMap<string, Subscription>): string[] {
  const instanceIdOf = (memberId: string): string | null => members.get(memberId)?.groupInstanceId ?? null;
  return [...members.keys()].sort((a, b) => {
    const [instanceA, instanceB] = [instanceIdOf(a), instanceIdOf(b)];
    if (instanceA !== null && instanceB !== null && instanceA !== instanceB) return instanceA < instanceB ? -1 : 1;
    if ((instanceA === null) !== (instanceB === null)) return instanceA === null ? 1 : -1;
    return a < b ? -1 : 1;
  });
}
