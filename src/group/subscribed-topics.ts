/** Which topics a group's members subscribe to, read off what they said when they joined. */
import type { GroupSnapshot } from "../api/broker.ts";
import { ByteReader } from "../base/byte-reader.ts";

/**
 * null: nobody can tell, as the group is not of consumers or what a member said cannot be read. The coordinator looks into the
 * bytes here alone (a version, then an array of strings): what is still read must neither expire nor be deleted.
 */
export function subscribedTopics(group: GroupSnapshot): ReadonlySet<string> | null {
  const topics = new Set<string>();
  if (group.members.length === 0) return topics;
  if (group.protocolType !== "consumer" || group.protocolName === null) return null;
  try {
    for (const { metadata } of group.members) {
      const reader = new ByteReader(metadata, `subscription in group "${group.groupId}"`);
      reader.int16();
      for (let left = reader.arrayCount(2); left > 0; left--) topics.add(reader.string());
    }
  } catch {
    return null;
  }
  return topics;
}
