/** A reader that takes its time: it stands in the middle of segments while they are rewritten, and goes on undisturbed. */
import { BrokenPromise } from "./engine-world.ts";
import { fetchRun, GUARANTEE_TOPICS, ReadFault, readFromStart, type Subject } from "./guarantees-rig.ts";
import type { GuaranteesWorld } from "./guarantees-world.ts";

export class SlowReader {
  readonly #world: GuaranteesWorld;
  readonly #topic: string;
  readonly #partition: number;
  #position = 0;
  #last = -1;
  /** What it holds of each key, as a table would. */
  readonly #values: Map<string, { readonly offset: number; readonly id: number }> = new Map();

  constructor(world: GuaranteesWorld, topic: string, partition: number) {
    this.#world = world;
    this.#topic = topic;
    this.#partition = partition;
  }

  /** One small fetch on. */
  async readOn(subject: Subject): Promise<boolean> {
    const run = await fetchRun(subject, this.#topic, this.#partition, this.#position, "readCommitted", 200).catch((error: unknown) => {
      if (error instanceof ReadFault && error.code === "OFFSET_OUT_OF_RANGE") return null;
      throw error;
    });
    if (run === null) {
      // Records were deleted under it: it begins anew where the log does.
      const { marks } = await readFromStart(subject, this.#topic, this.#partition, "readCommitted");
      if (this.#position >= marks.logStartOffset)
        throw new BrokenPromise(
          `${this.#topic}/${this.#partition}: position ${this.#position} is out of range, the log begins at ${marks.logStartOffset}`,
        );
      this.#position = marks.logStartOffset;
      this.#values.clear();
      return true;
    }
    const kept = this.#world.partitions.get(`${this.#topic}/${this.#partition}`)!;
    for (const { id, offset, key } of run.records) {
      const where = `${this.#topic}/${this.#partition}: a slow reader`;
      if (offset <= this.#last) throw new BrokenPromise(`${where} was given ${offset} after ${this.#last}`);
      const sent = kept.sent.get(id);
      if (sent === undefined) throw new BrokenPromise(`${where} was given record ${id} at ${offset}, which was not sent here`);
      if (sent.offset !== null && sent.offset !== offset)
        throw new BrokenPromise(`${where} found record ${id} at ${offset}, told ${sent.offset}`);
      const state = this.#world.stateOf(sent);
      if (state === "open" || state === "aborted")
        throw new BrokenPromise(`${where} was given record ${id} of transaction ${sent.transaction}, which is ${state}`);
      // Seen is promised: the offset is this record's from now on.
      sent.offset = offset;
      const isOs = GUARANTEE_TOPICS[this.#topic]?.durability === "os";
      if (!isOs) sent.reach = "power";
      else if (sent.reach === "none") sent.reach = "process";
      kept.promisedEnd = Math.max(kept.promisedEnd, offset + 1);
      if (!isOs) kept.durableEnd = Math.max(kept.durableEnd, offset + 1);
      this.#last = offset;
      this.#values.set(key, { offset, id });
    }
    const moved = run.nextOffset > this.#position;
    this.#position = run.nextOffset;
    return moved;
  }

  /** At the end it holds what a reader from the start is told, whatever was rewritten behind its back. */
  async catchUp(subject: Subject, world: GuaranteesWorld): Promise<void> {
    while (await this.readOn(subject));
    const { records, marks } = await readFromStart(subject, this.#topic, this.#partition, "readCommitted");
    if (this.#position < marks.lastStableOffset) {
      throw new BrokenPromise(
        `${this.#topic}/${this.#partition}: a slow reader is stuck at ${this.#position}, before ${marks.lastStableOffset}`,
      );
    }
    const kept = world.partitions.get(`${this.#topic}/${this.#partition}`)!;
    for (const { key, id, offset } of new Map(records.map((record) => [record.key, record])).values()) {
      if (this.#values.get(key)?.id !== id && kept.sent.has(id)) {
        const held = this.#values.get(key);
        throw new BrokenPromise(
          `${this.#topic}/${this.#partition}: key ${key} is record ${id} at ${offset}; a slow reader holds ${held === undefined ? "nothing" : `record ${held.id} at ${held.offset}`}`,
        );
      }
    }
  }
}
