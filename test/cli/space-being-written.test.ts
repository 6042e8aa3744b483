/**
 * A log that another process writes while it is looked through. Its file is longer than its batches; what was space at the first look was
 * told as damage, because at the second there was something in it: the next batch.
 */
import { expect, it } from "vitest";
import { dumpLog } from "../../src/cli/dump-log.ts";
import { surveySegment } from "../../src/log/survey/segment-survey.ts";
import { fillingFile } from "../log/filling-file.ts";
import { batchOf, core, NOW_MS } from "../log/log-rig.ts";

const COUNT = 6;

function written(): { bytes: Uint8Array; starts: number[] } {
  const batches = Array.from({ length: COUNT }, (_, offset) => {
    const batch = batchOf([{ value: `value ${offset}`, timestamp: NOW_MS }]);
    new DataView(batch.buffer, batch.byteOffset).setBigInt64(0, BigInt(offset));
    return batch;
  });
  const starts = batches.map((_, index) => batches.slice(0, index).reduce((sum, { length }) => sum + length, 0));
  return { bytes: new Uint8Array(Buffer.concat(batches)), starts };
}

it.each([0, 1, 3])("is dumped batch by batch, the space behind %d of them filled meanwhile", async (shown) => {
  const { bytes, starts } = written();
  const file = fillingFile(bytes, starts[shown] as number, 8192);
  const source = { core, compression: null as never, file, name: "00000000000000000000.log", topic: "t", partition: 0, baseOffset: 0 };
  const types: string[] = [];
  for await (const { type } of dumpLog(source, false)) types.push(type);
  expect(types).toEqual([...Array.from({ length: COUNT }, () => "batch"), "unwritten"]);
});

it.each([0, 1, 3])("is surveyed as whole, the space behind %d batches filled meanwhile", async (shown) => {
  const { bytes, starts } = written();
  const file = fillingFile(bytes, starts[shown] as number, 8192);
  const expected = { baseOffset: 0, endOffset: null, durableOffset: null, order: "exact", epochFor: () => null } as const;
  const survey = await surveySegment(core, file, expected, () => {});
  expect(survey).toMatchObject({ ranges: [], batchCount: COUNT, nextOffset: COUNT, zerosFrom: bytes.length });
});
