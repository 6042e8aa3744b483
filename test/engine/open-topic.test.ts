/** A topic's slots and the register of topics: what is there, what is not, and what kept it away. */
import { describe, expect, it } from "vitest";
import { StorageError } from "../../src/base/errors.ts";
import { OpenTopic, type PartitionSlot } from "../../src/engine/open-topic.ts";
import { TopicRegistry } from "../../src/engine/topic-registry.ts";
import type { PartitionLog } from "../../src/log/partition-log.ts";

const log = {} as PartitionLog;
const error = new StorageError("FILE_NOT_FOUND", "its directory is not there");
const SLOTS: PartitionSlot[] = [{ state: "open", log }, { state: "empty" }, { state: "failed", error }];
const topicOf = (name: string, slots: PartitionSlot[] = SLOTS): OpenTopic =>
  new OpenTopic({ name, topicId: "", internal: false, frozen: false, overrides: {}, config: {} as never, slots });
const caught = (call: () => unknown): unknown => {
  try {
    call();
    return "nothing was refused";
  } catch (thrown) {
    return thrown;
  }
};

describe("a partition", () => {
  it("has a log, none yet, what kept it from opening, or is not there: then it is told which are", () => {
    const topic = topicOf("orders");
    expect([topic.log(0), topic.log(1), topic.openLogs()]).toEqual([log, null, [log]]);
    expect(caught(() => topic.log(2))).toBe(error);
    for (const partition of [3, -1, 0.5, Number.NaN, "0x"])
      expect(
        caught(() => topic.log(partition as number)),
        String(partition),
      ).toMatchObject({
        name: "UsageError",
        code: "UNKNOWN_TOPIC_OR_PARTITION",
        message: `topic "orders" has partitions 0 to 2; found partition ${String(partition)}`,
      });
  });
});

describe("the register", () => {
  it("lists names in their order, logs of all topics, and forgets what was removed", () => {
    const topics = new TopicRegistry();
    for (const name of ["b", "a", "c"]) topics.put(topicOf(name));
    expect([topics.names(), topics.openLogs().length, topics.all().map(({ name }) => name)]).toEqual([["a", "b", "c"], 3, ["b", "a", "c"]]);
    expect([topics.log({ topic: "a", partition: 0 }), topics.log({ topic: "a", partition: 1 })]).toEqual([log, null]);
    topics.remove("a");
    expect([topics.find("a"), topics.names()]).toEqual([undefined, ["b", "c"]]);
  });

  it("guesses what was meant where a name is near, and says nothing of a guess where none is", () => {
    const topics = new TopicRegistry();
    expect(caught(() => topics.require("orders"))).toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
      message: 'there is no topic "orders". Topics are made by createTopic, never by use',
    });
    topics.put(topicOf("orders"));
    expect(caught(() => topics.log({ topic: "order", partition: 0 }))).toMatchObject({
      message: 'there is no topic "order"; did you mean "orders"? Topics are made by createTopic, never by use',
    });
    // Whatever was given for a name: nothing of its own is called.
    expect(caught(() => topics.require({ toString: () => "orders" } as never))).toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
  });
});
