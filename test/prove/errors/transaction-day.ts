/** A day of transactions over two partitions and a group's offset whose storage fails: all of each is seen or nothing, as its producer was told. */
import { coordinatorPartition } from "../../../src/base/java-hash.ts";
import { type CrashStorage, crashStorage } from "../../../src/testing/crash-storage.ts";
import { type FaultyStorage, faultyStorage } from "../../../src/testing/faulty-storage.ts";
import { settled } from "../../../src/testing/manual-clock.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { type Life, openEngine, produce } from "../../simulation/engine-rig.ts";
import { committedOffset, readCommitted, TestProducer, unstable } from "../../simulation/transaction-rig.ts";
import { Broken } from "./log-day.ts";
import { wrongWith } from "./typed.ts";

const TOPIC = "orders";
const SOURCE = "source";
const GROUP = "g";
const ROUNDS = 6;
/** Longer than markers are tried again after. */
const RETRY_MS = 4000;

type Told = "committed" | "aborted" | "unknown";

export class TransactionDay {
  readonly disk: CrashStorage = crashStorage();
  readonly storage: FaultyStorage = faultyStorage(this.disk);
  readonly #onHour: (hour: number) => void;
  /** By round, what its producer was told. */
  readonly #told: Told[] = [];
  #life: Life | null = null;
  #hour = 0;
  refusals = 0;

  constructor(onHour: (day: TransactionDay, hour: number) => void) {
    this.#onHour = (hour) => onHour(this, hour);
  }

  async live(): Promise<void> {
    this.#life = await openEngine(this.storage);
    await this.#life.engine.createTopic({ topic: TOPIC, partitions: 2, config: { segmentBytes: 600 } });
    // What the group has read of: offsets beyond its end would be set back (C5).
    await this.#life.engine.createTopic({ topic: SOURCE, partitions: 1, config: {} });
    await produce(
      this.#life,
      SOURCE,
      0,
      Array.from({ length: ROUNDS + 2 }, () => "read"),
    );
    this.#onHour(0);
    for (let round = 0; round < ROUNDS; round += 1) {
      this.#told[round] = await this.#transaction(round, round % 3 !== 1);
      if (round % 2 === 1) this.#strike();
      if (round === 3) await this.#reopen();
    }
    this.storage.mend();
    await this.#recover();
    await this.#check(this.#life, "when the fault had passed");
    this.#told[ROUNDS] = await this.#transaction(ROUNDS, true);
    if (this.#told[ROUNDS] !== "committed") throw new Broken("no transaction can be committed when the fault has passed");
    await this.#check(this.#life, "after another transaction");
    await this.#attempt("close", () => (this.#life as Life).engine.close());
    this.#expectNoHandles("a close");
    const last = await openEngine(this.disk.crash(new SeededRandom(1), { survival: "nothing" }), "last");
    await this.#check(last, "after a loss of power");
    await last.engine.close();
  }

  #strike(): void {
    this.storage.mend();
    this.#hour += 1;
    this.#onHour(this.#hour);
  }

  /** What an application does: whatever is refused, it aborts. */
  async #transaction(round: number, commit: boolean): Promise<Told> {
    const life = this.#life as Life;
    const producer = new TestProducer(life, "t");
    const began = await this.#attempt("begin", async () => {
      await producer.init();
      await producer.send(TOPIC, 0, `${round}`.padEnd(100));
      await producer.send(TOPIC, 1, `${round}`.padEnd(60));
      await producer.commitOffset(GROUP, SOURCE, 0, round + 1);
    });
    if (began && commit) return (await this.#attempt("commit", () => producer.end(true))) ? "committed" : "unknown";
    await this.#attempt("abort", () => producer.end(false));
    // Of what was never asked to be committed nothing may be seen, whatever became of the abort.
    return "aborted";
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (error instanceof Broken) throw error;
      this.refusals += 1;
      const wrong = wrongWith(error, { producers: true });
      if (wrong !== null) throw new Broken(`${what}: ${wrong}`);
      return false;
    }
  }

  async #reopen(): Promise<void> {
    await this.#attempt("close", () => (this.#life as Life).engine.close());
    this.#expectNoHandles("a close");
    const opened = await this.#attempt("open", async () => {
      this.#life = await openEngine(this.storage, "second");
    });
    if (opened) return;
    this.#expectNoHandles("an open that was refused");
    this.storage.mend();
    this.#life = await openEngine(this.storage, "third");
  }

  #expectNoHandles(after: string): void {
    const { openFileCount, openFileNames, heldLockCount } = this.storage;
    if (openFileCount > 0) throw new Broken(`${after} left ${openFileCount} files open: ${openFileNames.join(", ")}`);
    if (heldLockCount > 0) throw new Broken(`${after} left the lock held`);
  }

  /** What failed, or could not be opened, is opened anew, and markers that wait are written. */
  async #recover(): Promise<void> {
    const { engine, clock } = this.#life as Life;
    const places = [
      { topic: TOPIC, partition: 0 },
      { topic: TOPIC, partition: 1 },
      { topic: SOURCE, partition: 0 },
      { topic: "__consumer_offsets", partition: coordinatorPartition(GROUP) },
      { topic: "__transaction_state", partition: coordinatorPartition("t") },
    ];
    for (const place of places) if (engine.hasTopic(place.topic)) await engine.reopenPartition(place);
    // One whose abort was refused is open until its producer comes again.
    await new TestProducer(this.#life as Life, "t").init();
    for (let tries = 0; tries < 3; tries += 1) {
      await clock.advance(RETRY_MS);
      await settled();
    }
  }

  async #check(life: Life, when: string): Promise<void> {
    const broken = (what: string): never => {
      throw new Broken(`${when}: ${what}`);
    };
    const read = async (partition: number): Promise<Set<string>> => {
      const values = await readCommitted(life, TOPIC, partition).catch((error: unknown) =>
        broken(`C1: partition ${partition} cannot be read: ${String(error)}`),
      );
      if (new Set(values).size !== values.length)
        broken(`C3: partition ${partition} holds a record twice: ${values.map((value) => value.trim()).join(" ")}`);
      return new Set(values.map((value) => value.trim()));
    };
    const [zero, one] = [await read(0), await read(1)];
    let expected: number | null = null;
    for (const [round, told] of this.#told.entries()) {
      const seen = [zero.has(`${round}`), one.has(`${round}`)];
      if (seen[0] !== seen[1]) broken(`C2: of transaction ${round} a part is seen: ${JSON.stringify(seen)}`);
      if (told === "committed" && seen[0] !== true) broken(`C1: transaction ${round} was committed, and is not seen`);
      if (told === "aborted" && seen[0] === true) broken(`C3: transaction ${round} was not committed, and is seen`);
      if (seen[0] === true) expected = round + 1;
      // Once seen, or not, it stays so.
      this.#told[round] = seen[0] === true ? "committed" : "aborted";
    }
    const offset = await committedOffset(life, GROUP, SOURCE, 0);
    if (offset !== expected) broken(`C1: the group is at ${offset}, the last transaction that is seen committed ${expected}`);
    const open = [await unstable(life, TOPIC, 0), await unstable(life, TOPIC, 1)];
    if (open[0] !== 0 || open[1] !== 0) broken(`transactions are still open: ${JSON.stringify(open)} offsets are held back`);
  }
}
