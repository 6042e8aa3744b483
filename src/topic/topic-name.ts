/** Which names a topic may be given: Kafka's rule, and what would not survive the move to another file system or broker. */
import { UsageError } from "../base/errors.ts";
import { isTopicName, TOPIC_NAME_LENGTH_MAX } from "../log/files/file-names.ts";

/** Kafka's metadata log: its directory is no topic's and is left alone, so a topic of this name would be lost from sight. */
export const METADATA_TOPIC = "__cluster_metadata";

const WINDOWS_RESERVED = /^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\.|$)/i;

/**
 * Throws `INVALID_TOPIC_EXCEPTION` for a name that a new topic may not have beside the topics `existing`. That a topic of
 * exactly this name exists is not looked at.
 */
export function checkNewTopicName(name: string, existing: Iterable<string>): void {
  const reason = reasonAgainst(name) ?? collisionOf(name, existing);
  if (reason !== null) throw new UsageError("INVALID_TOPIC_EXCEPTION", reason);
}

function reasonAgainst(name: unknown): string | null {
  if (typeof name !== "string") return `a topic's name is a string, found ${name === null ? "null" : typeof name}`;
  if (name === "") return "a topic's name has at least one character, found none";
  if (name === "." || name === "..") return `a topic cannot be named "${name}": that is a directory's name for itself or its parent`;
  if (name.length > TOPIC_NAME_LENGTH_MAX) return `a topic's name has at most ${TOPIC_NAME_LENGTH_MAX} characters, found ${name.length}`;
  if (!isTopicName(name)) {
    const odd = [...name].find((character) => !/^[a-zA-Z0-9._-]$/.test(character));
    return `a topic's name is made of a-z, A-Z, 0-9, ".", "_" and "-", found ${JSON.stringify(odd)} in ${JSON.stringify(name)}`;
  }
  if (WINDOWS_RESERVED.test(name)) return `a topic cannot be named "${name}": Windows keeps that name for a device`;
  if (name.endsWith(".")) return `a topic's name cannot end with a dot, found "${name}": Windows drops it`;
  if (name === METADATA_TOPIC) return `a topic cannot be named "${name}": a broker keeps its own metadata under that name`;
  return null;
}

/** File systems fold case, and Kafka's metrics fold "." and "_": two such topics would be one somewhere. */
function collisionOf(name: string, existing: Iterable<string>): string | null {
  const asked = folded(name);
  for (const other of existing) {
    if (other === name || folded(other) !== asked) continue;
    const difference = other.toLowerCase() === name.toLowerCase() ? "only in case" : 'only in "." against "_"';
    return `topic "${name}" would differ from topic "${other}" ${difference}, which file systems and Kafka's metrics do not tell apart`;
  }
  return null;
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(".", "_");
}
