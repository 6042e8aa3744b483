/** Records that do not deserialize: stopping at them, skipping them, and being asked. */
import { describe, expect, it } from "vitest";
import { SerdeError } from "../../src/base/errors.ts";
import { bed, orders, valuesToEnd } from "./bed.ts";

const noBad = {
  deserialize: (bytes: Uint8Array): string => {
    const text = new TextDecoder().decode(bytes);
    if (text.startsWith("bad")) throw new TypeError(`${text} is bad`);
    return text;
  },
};

async function mixed(): Promise<Awaited<ReturnType<typeof bed>>> {
  const found = await bed();
  found.broker.append(orders, [{ value: "0" }, { key: "k", value: "bad1", headers: [["h", "x"]], timestamp: 9 }, { value: "2" }]);
  found.broker.append(orders, [{ value: "bad3" }]);
  found.broker.append(orders, [{ value: "4" }]);
  return found;
}

describe("onDeserializeError", () => {
  it('"stop" throws a SerdeError with the record as stored, and meets it again in a new loop', async () => {
    const { consumer } = await mixed();
    const reader = consumer({ groupId: "g", value: noBad });
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    const loop = async (): Promise<void> => {
      for await (const { value } of reader) values.push(value);
    };
    const error = await loop().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SerdeError);
    expect(error).toMatchObject({
      code: "DESERIALIZATION_FAILED",
      message: expect.stringMatching(/orders-0, offset 1: the value .*bad1 is bad/),
    });
    expect((error as SerdeError).record).toEqual({
      topic: "orders",
      partition: 0,
      offset: 1,
      timestamp: 9,
      key: new TextEncoder().encode("k"),
      value: new TextEncoder().encode("bad1"),
      headers: [["h", new TextEncoder().encode("x")]],
    });
    expect((error as SerdeError).cause).toBeInstanceOf(TypeError);
    expect(await reader.position(orders)).toBe(1);
    await expect(loop()).rejects.toBeInstanceOf(SerdeError);
    expect(values).toEqual(["0"]);
    reader.seek(orders, 2);
    await expect(loop()).rejects.toMatchObject({ record: { offset: 3 } });
    expect(values).toEqual(["0", "2"]);
  });

  it('"skip" goes past it and reports each', async () => {
    const { consumer, events } = await mixed();
    const reader = consumer({ value: noBad, onDeserializeError: "skip" });
    await reader.assign([orders]);
    expect(await valuesToEnd(reader)).toEqual(["0", "2", "4"]);
    expect(events.map(({ type, offset }) => [type, offset])).toEqual([
      ["record.skipped", 1],
      ["record.skipped", 3],
    ]);
  });

  it("asks a function, that may take its time", async () => {
    const { consumer, events } = await mixed();
    const asked: (number | undefined)[] = [];
    const reader = consumer({
      value: noBad,
      onDeserializeError: async ({ record }) => {
        asked.push(record?.offset);
        await new Promise((resolve) => setTimeout(resolve, 2));
        return record?.offset === 1 ? "skip" : "stop";
      },
    });
    await reader.assign([orders]);
    const values: (string | null)[] = [];
    const loop = async (): Promise<void> => {
      for await (const { value } of reader) values.push(value);
    };
    await expect(loop()).rejects.toMatchObject({ record: { offset: 3 } });
    expect(values).toEqual(["0", "2"]);
    expect(asked).toEqual([1, 3]);
    expect(events.length).toBe(1);
  });

  it("passes on what the function throws, and refuses an answer that is none", async () => {
    const { consumer } = await mixed();
    const throwing = consumer({
      value: noBad,
      onDeserializeError: () => {
        throw new Error("mine");
      },
    });
    await throwing.assign([orders]);
    await expect(valuesToEnd(throwing)).rejects.toThrow("mine");
    expect(await throwing.position(orders)).toBe(1);
    const wrong = consumer({ value: noBad, onDeserializeError: (() => "retry") as never });
    await wrong.assign([orders]);
    await expect(valuesToEnd(wrong)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("in a poll gives first what stands before it", async () => {
    const { consumer } = await mixed();
    const reader = consumer({ value: noBad });
    await reader.assign([orders]);
    expect((await reader.poll()).map(({ value }) => value)).toEqual(["0"]);
    await expect(reader.poll()).rejects.toBeInstanceOf(SerdeError);
    await expect(reader.poll()).rejects.toBeInstanceOf(SerdeError);
    const skipping = consumer({ value: noBad, onDeserializeError: "skip" });
    await skipping.assign([orders]);
    expect((await skipping.poll()).map(({ value }) => value)).toEqual(["0", "2", "4"]);
  });

  it("in batches() is thrown where the field is asked for, or skipped before the batch is given", async () => {
    const { consumer, events } = await mixed();
    const stopping = consumer({ value: noBad });
    await stopping.assign([orders]);
    const loop = async (): Promise<void> => {
      for await (const batch of stopping.batches()) for (const record of batch) record.value;
    };
    await expect(loop()).rejects.toMatchObject({ name: "SerdeError", record: { offset: 1 } });
    expect(await stopping.position(orders)).toBe(0);
    const skipping = consumer({ value: noBad, onDeserializeError: "skip" });
    await skipping.assign([orders]);
    const shapes = [];
    for await (const batch of skipping.batches({ until: "end" })) {
      shapes.push([batch.firstOffset, batch.lastOffset, batch.length, [...batch].map(({ value }) => value)]);
    }
    expect(shapes).toEqual([
      [0, 2, 2, ["0", "2"]],
      [4, 4, 1, ["4"]],
    ]);
    expect(events.length).toBe(2);
  });
});
