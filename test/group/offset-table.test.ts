/** What every group has committed, as it is held in memory: what goes takes nothing else along. */
import { describe, expect, it } from "vitest";
import { OffsetTable } from "../../src/group/offset-table.ts";

describe("the table of offsets", () => {
  const stored = (nextOffset: number) => ({ nextOffset, leaderEpoch: -1, metadata: "", commitTimestamp: 0, expireTimestamp: -1 });
  const GROUP = { protocolType: "consumer", generation: 1, protocolName: null, leader: null, stateTimestamp: 0, members: [] };

  it("has a group for as long as it has committed something or is kept, and names it once", () => {
    const table = new OffsetTable();
    table.setOffset("g", "t", 0, stored(1));
    table.setOffset("g", "t", 1, stored(2));
    table.setOffset("g", "u", 0, stored(3));
    table.setGroup("g", GROUP);
    table.setGroup("h", GROUP);
    expect(table.groupIds()).toEqual(["g", "h"]);
    table.setGroup("g", null);
    table.setOffset("g", "t", 0, null);
    expect([table.has("g"), table.offset("g", "t", 0), table.offset("g", "t", 1)?.nextOffset]).toEqual([true, null, 2]);
    table.setOffset("g", "t", 1, null);
    expect([table.has("g"), table.offsetsOf("g").map(({ topic, partition }) => [topic, partition])]).toEqual([true, [["u", 0]]]);
    table.setOffset("g", "u", 0, null);
    expect([table.has("g"), table.has("h"), table.groupIds(), table.group("h")]).toEqual([false, true, ["h"], GROUP]);
    // What is not there may be taken out too.
    for (const topic of ["u", "v"]) table.setOffset("g", topic, 9, null);
    expect(table.groupIds()).toEqual(["h"]);
  });

  it("leaves the other partitions, topics and groups where one is taken out", () => {
    const places = ["g t 0", "g t 1", "g u 0", "h t 0"];
    for (const taken of places) {
      const table = new OffsetTable();
      const each = (place: string, value: number | null): void => {
        const [groupId, topic, partition] = place.split(" ") as [string, string, string];
        table.setOffset(groupId, topic, Number(partition), value === null ? null : stored(value));
      };
      for (const place of places) each(place, 5);
      each(taken, null);
      const left = ["g", "h"].flatMap((groupId) =>
        table.offsetsOf(groupId).map(({ topic, partition }) => `${groupId} ${topic} ${partition}`),
      );
      expect(left).toEqual(places.filter((place) => place !== taken));
    }
  });
});
