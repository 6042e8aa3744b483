/** Groups as the engine keeps them: which of their offsets may be deleted while they work, and when they are forgotten. */
import { describe, expect, it } from "vitest";
import { memory } from "../../src/storage/memory.ts";
import { settled } from "../../src/testing/manual-clock.ts";
import { commit, openEngine } from "../simulation/engine-rig.ts";
import { committedOffset } from "../simulation/transaction-rig.ts";

const DAY_MS = 24 * 3600 * 1000;
/** What a consumer says of itself: version 3, the topic "orders", no user data. */
const SUBSCRIPTION = Uint8Array.from(Buffer.from(`0003${"00000001"}0006${Buffer.from("orders").toString("hex")}ffffffff`, "hex"));

describe("a group that works", () => {
  it("keeps its offsets where it is subscribed, and lets others be deleted; a week after it was left it is forgotten", async () => {
    const life = await openEngine(memory());
    const { engine, clock } = life;
    for (const topic of ["orders", "aside"]) {
      await engine.createTopic({ topic, partitions: 1, config: {} });
      await commit(life, "g", topic, 0, 0, true);
    }
    const { memberId } = await engine.joinGroup({
      groupId: "g",
      memberId: "",
      groupInstanceId: null,
      clientId: "c",
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: SUBSCRIPTION }],
      sessionTimeoutMs: null,
      rebalanceTimeoutMs: 60_000,
    });
    await expect(engine.deleteOffsets("g", [{ topic: "orders", partition: 0 }])).rejects.toMatchObject({
      code: "GROUP_SUBSCRIBED_TO_TOPIC",
    });
    await engine.deleteOffsets("g", [{ topic: "aside", partition: 0 }]);
    expect([await committedOffset(life, "g", "orders", 0), await committedOffset(life, "g", "aside", 0)]).toEqual([0, null]);
    await engine.leaveGroup({ groupId: "g", members: [{ memberId, groupInstanceId: null }] });
    await settled();
    expect(await engine.describeGroup("g")).toMatchObject({ state: "Empty", protocolType: "consumer" });
    const hour = async (): Promise<readonly string[]> => {
      await clock.advance(600_000);
      for (let turn = 0; turn < 20; turn += 1) await settled();
      return engine.listGroups();
    };
    expect(await hour()).toEqual(["g"]);
    clock.jump(8 * DAY_MS);
    expect(await hour()).toEqual([]);
    await expect(engine.describeGroup("g")).rejects.toMatchObject({ code: "GROUP_ID_NOT_FOUND" });
    await engine.close();
  });
});
