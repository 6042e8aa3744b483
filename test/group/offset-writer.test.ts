/** How changes come to be written: together where they may, apart where they must, and each told to who gave it. */
import { describe, expect, it } from "vitest";
import { type Change, OffsetWriter } from "../../src/group/offset-writer.ts";
import { settled } from "../../src/testing/manual-clock.ts";

interface Written {
  readonly partition: number;
  readonly ids: readonly string[];
  readonly durable: boolean;
  readonly producer: string | null;
}

/** A writer whose appends end when they are told to. */
class Desk {
  readonly appends: Written[] = [];
  readonly told: string[] = [];
  readonly #ends: ((error?: Error) => void)[] = [];
  readonly writer = new OffsetWriter<Change>(
    {
      append: (partition, records, durable, transaction) => {
        const ids = (records as readonly Change[]).map(({ id, value }) => `${id}${value?.[0] ?? ""}`);
        const producer = transaction === null ? null : `${transaction.producerId}/${transaction.producerEpoch}`;
        this.appends.push({ partition, ids, durable, producer });
        return new Promise((resolve, reject) => this.#ends.push((error) => (error === undefined ? resolve() : reject(error))));
      },
    },
    ({ id }, transaction) => void this.told.push(`${id} ${transaction?.producerId ?? "none"}`),
  );

  write(partition: number, ids: string, { durable = false, producer = null as bigint | null, epoch = 0 } = {}): Promise<void> {
    // A letter is a change's id, a digit behind it what it says.
    const changes = [...ids.matchAll(/([a-z])(\d?)/g)].map(([, id, digit]) => ({
      id: id as string,
      key: Uint8Array.of(0),
      value: digit === "" ? null : Uint8Array.of(Number(digit)),
    }));
    return this.writer.write(partition, changes, durable, producer === null ? null : { producerId: producer, producerEpoch: epoch });
  }

  /** The oldest append that is under way ends. */
  async end(error?: Error): Promise<void> {
    this.#ends.shift()?.(error);
    await settled();
  }
}

const outcomes = (promises: readonly Promise<unknown>[]): string[] => {
  const found = promises.map(() => "waits");
  promises.forEach((promise, at) => {
    promise.then(
      () => {
        found[at] = "written";
      },
      (error: Error) => {
        found[at] = error.message;
      },
    );
  });
  return found;
};

describe("changes on their way", () => {
  it("of one turn go together, the last of each place alone and in its turn; durable if any of them is to be", async () => {
    const desk = new Desk();
    const found = outcomes([desk.write(1, "a1 b1"), desk.write(1, "c1", { durable: true }), desk.write(1, "a2")]);
    expect(desk.appends).toEqual([]);
    await settled();
    expect(desk.appends).toEqual([{ partition: 1, ids: ["b1", "c1", "a2"], durable: true, producer: null }]);
    expect([found, desk.told]).toEqual([["waits", "waits", "waits"], []]);
    await desk.end();
    expect([found, desk.told]).toEqual([
      ["written", "written", "written"],
      ["b none", "c none", "a none"],
    ]);
  });

  it("that come while an append is under way wait for it, and go together after it", async () => {
    const desk = new Desk();
    const first = outcomes([desk.write(1, "a1")]);
    await settled();
    const later = outcomes([desk.write(1, "a2"), desk.write(1, "b2")]);
    await settled();
    expect([desk.appends.length, desk.writer.isBusy(1)]).toEqual([1, true]);
    await desk.end();
    expect([first, later, desk.told]).toEqual([["written"], ["waits", "waits"], ["a none"]]);
    expect(desk.appends.at(-1)?.ids).toEqual(["a2", "b2"]);
    await desk.end();
    expect([later, desk.writer.isBusy(1)]).toEqual([["written", "written"], false]);
    // And the next is a beginning again.
    outcomes([desk.write(1, "c3")]);
    await settled();
    expect(desk.appends).toHaveLength(3);
  });

  it("of other transactions go by themselves, in the order of the calls, and are told with theirs", async () => {
    const desk = new Desk();
    const found = outcomes([
      desk.write(1, "a1"),
      desk.write(1, "b1", { producer: 7n }),
      desk.write(1, "c1", { producer: 7n }),
      desk.write(1, "d1", { producer: 7n, epoch: 1 }),
      desk.write(1, "e1", { producer: 8n, epoch: 1 }),
      desk.write(1, "f1"),
      desk.write(1, "g1"),
    ]);
    for (let append = 0; append < 5; append++) {
      await settled();
      expect(desk.appends).toHaveLength(append + 1);
      await desk.end();
    }
    expect(desk.appends.map(({ ids, producer }) => [ids.join(""), producer])).toEqual([
      ["a1", null],
      ["b1c1", "7/0"],
      ["d1", "7/1"],
      ["e1", "8/1"],
      ["f1g1", null],
    ]);
    expect(desk.told).toEqual(["a none", "b 7", "c 7", "d 7", "e 8", "f none", "g none"]);
    expect(found).toEqual(Array.from({ length: 7 }, () => "written"));
  });

  it("that cannot be written are told to nobody but who gave them, and hold nothing up", async () => {
    const desk = new Desk();
    const lost = outcomes([desk.write(1, "a1"), desk.write(1, "b1")]);
    await settled();
    const next = outcomes([desk.write(1, "a2")]);
    await desk.end(new Error("disk full"));
    expect([lost, desk.told]).toEqual([["disk full", "disk full"], []]);
    await desk.end();
    expect([next, desk.told]).toEqual([["written"], ["a none"]]);
  });

  it("of another partition do not wait, and nothing is nothing", async () => {
    const desk = new Desk();
    await desk.write(1, "");
    await desk.write(1, "", { durable: true, producer: 7n });
    expect([desk.writer.isBusy(1), desk.appends.length]).toEqual([false, 0]);
    const found = outcomes([desk.write(1, "a1"), desk.write(2, "a1")]);
    await settled();
    expect(desk.appends.map(({ partition }) => partition)).toEqual([1, 2]);
    await desk.end();
    expect([found, desk.writer.isBusy(1), desk.writer.isBusy(2)]).toEqual([["written", "waits"], false, true]);
  });

  it("are known by their place while they wait and while they are written, and no longer", async () => {
    const desk = new Desk();
    outcomes([desk.write(1, "a1")]);
    await settled();
    outcomes([desk.write(1, "b1")]);
    const known = () => ["a", "b", "c"].map((id) => desk.writer.isChanging(1, id));
    expect([known(), desk.writer.isChanging(2, "a")]).toEqual([[true, true, false], false]);
    await desk.end();
    expect(known()).toEqual([false, true, false]);
    await desk.end();
    expect(known()).toEqual([false, false, false]);
  });

  it("have settled when all that was given by then is written or lost, in one partition or in all", async () => {
    const desk = new Desk();
    const lost = outcomes([desk.write(1, "a1")]);
    outcomes([desk.write(2, "a1")]);
    await settled();
    outcomes([desk.write(1, "b1")]);
    const settling = outcomes([desk.writer.settled(3), desk.writer.settled(2), desk.writer.settled(1), desk.writer.settled()]);
    await settled();
    expect(settling).toEqual(["written", "waits", "waits", "waits"]);
    await desk.end(new Error("disk full"));
    expect([lost, settling]).toEqual([["disk full"], ["written", "waits", "waits", "waits"]]);
    await desk.end();
    expect(settling).toEqual(["written", "written", "waits", "waits"]);
    // What is given later is not waited for.
    outcomes([desk.write(1, "c1")]);
    await desk.end();
    expect(settling).toEqual(["written", "written", "written", "written"]);
  });
});
