/** Looking at groups, and setting their offsets, over the broker port alone. */
import type { Broker, OffsetCommitRequest } from "./api/broker.ts";
import type { NextOffset, TopicPartition } from "./api/bytes.ts";
import type { GroupDescription } from "./api/group.ts";
import { errorFromFault, GroupError, UsageError } from "./base/errors.ts";
import { describeValue } from "./base/options.ts";
import { decodeAssignment } from "./consumer/assignors/index.ts";

export async function describeGroup(broker: Broker, groupId: string): Promise<GroupDescription> {
  const group = await broker.describeGroup(groupId);
  const committed = (await broker.offsetFetch({ groupId, partitions: null })).filter((each) => each.nextOffset !== null);
  const ends = await broker.listOffsets({
    partitions: committed.map(({ topic, partition }) => ({ topic, partition, at: "latest" })),
    isolation: "readCommitted",
  });
  return {
    groupId,
    state: group.state,
    generation: group.generation,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      clientId: member.clientId,
      assignment: member.assignment.byteLength === 0 ? [] : decodeAssignment(member.assignment).partitions,
    })),
    offsets: committed.map((each, index) => ({
      topic: each.topic,
      partition: each.partition,
      nextOffset: each.nextOffset as number,
      lag: Math.max(0, (ends[index]?.offset ?? 0) - (each.nextOffset as number)),
    })),
  };
}

/** Sets a group's offsets in one topic; the group must have no members. Answers what was set. */
export async function resetOffsets(
  broker: Broker,
  groupId: string,
  topic: string,
  to: "earliest" | "latest" | { readonly timestamp: number } | readonly NextOffset[],
): Promise<NextOffset[]> {
  const offsets = Array.isArray(to)
    ? checkOffsets(topic, to as readonly NextOffset[])
    : await findOffsets(broker, topic, to as Exclude<typeof to, readonly NextOffset[]>);
  const commit: OffsetCommitRequest = {
    groupId,
    memberId: "",
    groupInstanceId: null,
    generation: -1,
    durable: true,
    offsets: offsets.map((each) => ({ ...each, leaderEpoch: -1, metadata: "" })),
  };
  const answers = await broker.offsetCommit(commit).catch((error: unknown) => {
    throw asReset(error);
  });
  for (const { fault } of answers) if (fault !== null) throw errorFromFault(fault);
  return offsets;
}

/** A commit of nobody's is refused for its member id, in Kafka's words; who sets a group back is to hear that the group has members. */
function asReset(error: unknown): unknown {
  const isForMembers = error instanceof GroupError && error.code === "UNKNOWN_MEMBER_ID";
  return isForMembers ? new GroupError("NON_EMPTY_GROUP", error.message, { cause: error }) : error;
}

function checkOffsets(topic: string, offsets: readonly NextOffset[]): NextOffset[] {
  return offsets.map((each: NextOffset | null | undefined) => {
    if (each === null || each === undefined)
      throw new UsageError(
        "INVALID_ARGUMENT",
        `resetOffsets("${topic}"): expected { topic, partition, nextOffset }, found ${String(each)}`,
      );
    if (each.topic !== topic)
      throw new UsageError("INVALID_ARGUMENT", `resetOffsets("${topic}"): found an offset of topic ${describeValue(each.topic)}`);
    if (!Number.isSafeInteger(each.nextOffset) || each.nextOffset < 0) {
      throw new UsageError(
        "INVALID_ARGUMENT",
        `resetOffsets("${topic}"): nextOffset: expected 0 to 2^53-1, found ${describeValue(each.nextOffset)}`,
      );
    }
    return { topic, partition: each.partition, nextOffset: each.nextOffset };
  });
}

async function findOffsets(
  broker: Broker,
  topic: string,
  to: "earliest" | "latest" | { readonly timestamp: number },
): Promise<NextOffset[]> {
  const at = typeof to === "string" ? to : to?.timestamp;
  if (at !== "earliest" && at !== "latest" && !Number.isSafeInteger(at)) {
    throw new UsageError("INVALID_ARGUMENT", `resetOffsets("${topic}"): expected "earliest", "latest", a timestamp or offsets`);
  }
  // describeConfig fails for a topic that is not there, with the nearest name; metadata would leave it out.
  await broker.describeConfig(topic);
  const [metadata] = await broker.metadata([topic]);
  const partitions: (TopicPartition & { at: "earliest" | "latest" | number })[] = Array.from(
    { length: metadata?.partitionCount ?? 0 },
    (_, partition) => ({ topic, partition, at }),
  );
  const listed = await broker.listOffsets({ partitions, isolation: "readCommitted" });
  return listed.map((each) => {
    if (each.fault !== null) throw errorFromFault(each.fault);
    // No record that late: the end, as Kafka's tool does.
    return { topic, partition: each.partition, nextOffset: each.offset ?? each.watermarks.highWatermark };
  });
}
