/** Views of records in a batch: what each shows, when it is decoded, whose memory it is; and batches of which all is skipped. */
import { describe, expect, it } from "vitest";
import { bytes } from "../../src/base/serdes/bytes.ts";
import { bed, orders } from "./bed.ts";

describe("a view of a record", () => {
  it("prints as the plain record does, and decodes each field once, null included", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ key: "k", value: "v", timestamp: 9, headers: [["h", "x"]] }, { value: null }]);
    let decodedCount = 0;
    const counting = {
      deserialize: (view: Uint8Array): string => {
        decodedCount += 1;
        return new TextDecoder().decode(view);
      },
    };
    const [lazy, plain] = [consumer({ key: counting, value: counting }), consumer()];
    for (const reader of [lazy, plain]) await reader.assign([orders]);
    const records = await plain.poll();
    for await (const batch of lazy.batches({ until: "end" })) {
      const views = [...batch];
      expect(decodedCount).toBe(0);
      expect(JSON.parse(JSON.stringify(views))).toEqual(JSON.parse(JSON.stringify(records)));
      expect(decodedCount).toBe(2);
      for (const [index, view] of views.entries()) {
        expect({ ...(view as { toJSON(): object } & typeof view).toJSON() }).toEqual(records[index]);
        expect(view.headers).toBe(view.headers);
      }
      expect(decodedCount).toBe(2);
    }
  });

  it("shows bytes where they lie, without a copy, and a deserializer of the program's own is given such a view too", async () => {
    const { broker, consumer } = await bed();
    broker.append(orders, [{ value: "one" }, { value: "two" }]);
    const buffers = new Set<ArrayBufferLike>();
    const own = {
      deserialize: (view: Uint8Array): string => {
        buffers.add(view.buffer);
        return new TextDecoder().decode(view);
      },
    };
    const [raw, foreign] = [consumer({ value: bytes }), consumer({ value: own })];
    for (const reader of [raw, foreign]) await reader.assign([orders]);
    for await (const batch of raw.batches({ until: "end" })) {
      const [one, two] = [...batch];
      expect(one?.value?.buffer).toBe(two?.value?.buffer);
      expect([one, two].map((view) => new TextDecoder().decode(view?.value as Uint8Array))).toEqual(["one", "two"]);
    }
    for await (const batch of foreign.batches({ until: "end" })) expect([...batch].map(({ value }) => value)).toEqual(["one", "two"]);
    expect(buffers.size).toBe(1);
  });
});

describe("batches of which all is skipped", () => {
  it("are moved past: never met again, and covered by a commit", async () => {
    const { broker, consumer, events } = await bed();
    const noBad = {
      deserialize: (view: Uint8Array): string => {
        const text = new TextDecoder().decode(view);
        if (text.startsWith("bad")) throw new TypeError(text);
        return text;
      },
    };
    for (const values of [["bad0", "bad1"], ["2"], ["bad3"]])
      broker.append(
        orders,
        values.map((value) => ({ value })),
      );
    const reader = consumer({ groupId: "g", enableAutoCommit: false, value: noBad, onDeserializeError: "skip" });
    await reader.assign([orders]);
    const seen: (string | null)[] = [];
    for await (const batch of reader.batches({ until: "end" })) {
      await reader.commit();
      expect(broker.committedOf("g", orders)).toBe(2);
      for (const { value } of batch) seen.push(value);
    }
    expect([seen, await reader.position(orders)]).toEqual([["2"], 4]);
    await reader.commit();
    expect(broker.committedOf("g", orders)).toBe(4);
    expect(events.map(({ offset }) => offset)).toEqual([0, 1, 3]);
  });
});
