/** A batch that takes records in is used again for the next ones: nothing of an earlier use may be met in a later one. */
import { describe, expect, it } from "vitest";
import { HEADER_BYTE_LENGTH } from "../../src/base/record-batch.ts";
import { type Answer, beginPendingBatch } from "../../src/producer/pending-batch.ts";
import type { TopicEntry } from "../../src/producer/topic-directory.ts";
import { Epoch } from "../../src/producer/unsettled.ts";

const topic = { name: "orders" } as TopicEntry;
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const answerOf = (index: number): Answer => ({ offset: index }) as Answer;

describe("a pending batch", () => {
  it("begins empty, whatever an earlier one held", async () => {
    const used = beginPendingBatch(topic, 0, new Epoch());
    used.stage.add(bytesOf("k"), bytesOf("value"), [[bytesOf("name"), null]], 7);
    const first = used.promise();
    used.epochs.push(new Epoch());
    used.byteLength = 99;
    used.resolveAll(answerOf);
    await expect(first).resolves.toEqual({ offset: 0 });
    used.stage.release();
    used.giveBack();

    const epoch = new Epoch();
    const batch = beginPendingBatch(topic, 3, epoch);
    expect(batch).toBe(used);
    expect(batch).toMatchObject({ partition: 3, byteLength: HEADER_BYTE_LENGTH, timer: null, before: null, after: null });
    expect(batch.epochs).toEqual([epoch]);
    expect(batch.stage.count).toBe(0);
    batch.stage.add(null, bytesOf("other"), null, 8);
    expect([batch.stage.key(0), batch.stage.value(0), batch.stage.headers(0)]).toEqual([null, bytesOf("other"), null]);
    const refused = batch.promise();
    batch.rejectAll(new Error("no"));
    await expect(refused).rejects.toThrow("no");
    batch.stage.release();
    batch.giveBack();
  });

  it("answers each record in the order in which they came in, those promised before among them", async () => {
    const batch = beginPendingBatch(topic, 0, new Epoch());
    const answers: Answer[] = [];
    const errors: unknown[] = [];
    const first = batch.promise();
    batch.adopt(
      (answer) => void answers.push(answer),
      (error) => void errors.push(error),
    );
    const third = batch.promise();
    batch.resolveAll(answerOf);
    expect(await Promise.all([first, third])).toEqual([{ offset: 0 }, { offset: 2 }]);
    expect(answers).toEqual([{ offset: 1 }]);
    expect(errors).toEqual([]);
  });

  it("is not kept when its records were many: what it grew to would be held for good", () => {
    const large = beginPendingBatch(topic, 0, new Epoch());
    for (let record = 0; record < 1025; record += 1) large.stage.add(null, null, null, 0);
    large.stage.release();
    large.giveBack();
    expect(beginPendingBatch(topic, 0, new Epoch())).not.toBe(large);
  });
});
