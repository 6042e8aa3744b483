/** What a program on the face was promised: records of one topic, the newest value of each key of another, a group's offset, transactions. */

/** What its producer was told of a transaction; "unknown": an end was asked for and refused. */
export type Told = "committed" | "aborted" | "unknown";

export interface FoundRecord {
  readonly offset: number;
  readonly value: string;
}

/** Of a commit of offsets nobody can say where exactly it ends: markers behind the last record may be covered too. */
interface CommitRange {
  readonly from: number;
  readonly to: number;
}

/** A value that a transaction sent, of both topics. */
export const ofTransaction = (round: number): string => `t${round}`;

export class FaceFacts {
  /** By offset: acknowledged or shown to a reader. */
  readonly #history: Map<number, string> = new Map();
  readonly #sent: Set<string> = new Set();
  readonly #refused: Set<string> = new Set();
  /** By key: what may stand there. The first was acknowledged, or nothing; null: a tombstone. */
  readonly #keyed: Map<string, (string | null)[]> = new Map();
  readonly #transactions: Map<number, Told> = new Map();
  #commits: CommitRange[] = [];
  #isCommitted = false;
  #count = 0;

  /** A value that was never used before; padded, so that a few make a segment. */
  fresh(length: number): string {
    this.#count += 1;
    const value = `${this.#count}:`.padEnd(length, "x");
    this.#sent.add(value);
    return value;
  }

  acknowledged({ offset, value }: FoundRecord): void {
    const before = this.#history.get(offset) ?? value;
    if (before !== value) throw new Error(`C4: offset ${offset} was ${before}, now ${value} is there`);
    this.#history.set(offset, value);
  }

  /** Its sender was told that it may be sent again: nothing of it was kept. */
  refused(value: string): void {
    this.#refused.add(value);
  }

  putting(key: string, value: string | null): void {
    const legal = this.#keyed.get(key) ?? [null];
    this.#keyed.set(key, [...legal, value]);
  }

  put(key: string, value: string | null): void {
    const legal = this.#keyed.get(key) ?? [];
    this.#keyed.set(key, legal.slice(legal.lastIndexOf(value)));
  }

  ended(round: number, told: Told): void {
    this.#transactions.set(round, told);
    const value = ofTransaction(round);
    if (told !== "aborted") this.#sent.add(value);
  }

  /** Answers how to say that it was confirmed, or taken back. */
  committing(range: CommitRange): { confirm(): void; takeBack(): void } {
    this.#commits.push(range);
    return {
      confirm: () => {
        this.#commits = this.#commits.slice(this.#commits.indexOf(range));
        this.#isCommitted = true;
      },
      takeBack: () => {
        this.#commits = this.#commits.filter((each) => each !== range);
      },
    };
  }

  /** All committed records of the plain topic, from its start to its end. Throws what is wrong; what is there is the truth from then on. */
  checkPlain(found: readonly FoundRecord[], end: number): void {
    const byOffset = new Map<number, string>();
    const values = new Set<string>();
    let before = -1;
    for (const { offset, value } of found) {
      if (offset <= before) throw new Error(`C3: ${offset} was given behind ${before}`);
      before = offset;
      if (values.has(value)) throw new Error(`C3: ${value} is there twice`);
      if (!this.#sent.has(value)) throw new Error(`C3: ${value} at ${offset} was never sent, or taken back`);
      if (this.#refused.has(value)) throw new Error(`C3: ${value} is at ${offset}; its sender was told that nothing of it was kept`);
      values.add(value);
      byOffset.set(offset, value);
      this.acknowledged({ offset, value });
    }
    for (const [offset, value] of this.#history)
      if (byOffset.get(offset) !== value)
        throw new Error(`C1: ${value} was acknowledged at ${offset}, found ${byOffset.get(offset)} of ${end}`);
    for (const [round, told] of this.#transactions) {
      const isSeen = values.has(ofTransaction(round));
      if (told === "committed" && !isSeen) throw new Error(`C1: transaction ${round} was committed, and is not seen`);
      if (told === "unknown") this.ended(round, isSeen ? "committed" : "aborted");
      if (!isSeen) this.#sent.delete(ofTransaction(round));
    }
  }

  /** After `checkPlain`: the same of each transaction is seen here. */
  checkKeyed(found: ReadonlyMap<string, string>): void {
    for (const [round, told] of this.#transactions) {
      const isSeen = found.has(ofTransaction(round));
      if (isSeen !== (told === "committed")) throw new Error(`C2: of transaction ${round} (${told}) a part is seen: in keyed ${isSeen}`);
    }
    for (const [key, legal] of this.#keyed) {
      const value = found.get(key) ?? null;
      if (!legal.includes(value)) throw new Error(`C1: key ${key} is ${value}, expected one of ${legal.join(", ")}`);
      this.#keyed.set(key, [value]);
    }
    for (const key of found.keys()) if (!this.#keyed.has(key) && !/^t\d+$/.test(key)) throw new Error(`C3: key ${key} was never sent`);
  }

  checkCommitted(nextOffset: number | null, end: number): void {
    if (nextOffset === null) {
      if (this.#isCommitted) throw new Error(`C1: the group has no offset, ${JSON.stringify(this.#commits[0])} was committed`);
      return;
    }
    if (nextOffset > end) throw new Error(`C5: the group is at ${nextOffset}, the log ends at ${end}`);
    if (!this.#commits.some(({ from, to }) => nextOffset >= from && nextOffset <= to))
      throw new Error(`C1: the group is at ${nextOffset}, expected one of ${JSON.stringify(this.#commits)}`);
  }
}
