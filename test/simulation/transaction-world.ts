/** What transactions were begun, what was promised of each, and what an opened engine must show of them: plain data. */
import type { ProducerIdentity } from "../../src/api/broker.ts";
import type { Life } from "./engine-rig.ts";
import { committedOffset, readCommitted, unstable } from "./transaction-rig.ts";

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export const PLACES: readonly Place[] = [
  { topic: "orders", partition: 0 },
  { topic: "orders", partition: 1 },
  { topic: "quick", partition: 0 },
];

/** Filled from the start, so that no committed offset points behind its end (C5 would set it back). */
export const READ_FROM: string = "aside";

export interface TransactionFacts {
  readonly producer: string;
  /** What it sent, by place; every one acknowledged before its end was asked for. */
  readonly sent: string[][];
  /** What it commits for its producer's own group; null: no offset. */
  offset: number | null;
  /** "open": nobody asked for its end. "ending": asked for and not answered. */
  state: "open" | "committing" | "aborting" | "committed" | "aborted";
}

const STATES: readonly TransactionFacts["state"][] = ["open", "committing", "aborting", "committed", "aborted"];

export class BrokenTransaction extends Error {}

export class TransactionWorld {
  readonly places: readonly Place[];
  /** The topic that committed offsets are of. In it, what holds nothing was there before. */
  readonly readFrom: string;
  /** In the order in which each producer began them. */
  transactions: TransactionFacts[] = [];
  #identities: Set<string> = new Set();
  #offset = 0;
  #valueCount = 0;

  constructor(places: readonly Place[] = PLACES, readFrom: string = READ_FROM) {
    this.places = places;
    this.readFrom = readFrom;
  }

  /** What it says now, for one of several futures. */
  clone(): TransactionWorld {
    const clone = new TransactionWorld(this.places, this.readFrom);
    clone.transactions = this.transactions.map((facts) => ({ ...facts, sent: facts.sent.map((values) => values.slice()) }));
    clone.#identities = new Set(this.#identities);
    [clone.#offset, clone.#valueCount] = [this.#offset, this.#valueCount];
    return clone;
  }

  /** Another number whenever something else is promised. */
  version(): number {
    return this.transactions.reduce(
      (sum, { sent, state }) => (Math.imul(sum, 31) + sent.flat().length * 8 + STATES.indexOf(state)) | 0,
      this.#offset,
    );
  }

  begin(producer: string): TransactionFacts {
    const facts: TransactionFacts = { producer, sent: this.places.map(() => []), offset: null, state: "open" };
    this.transactions.push(facts);
    return facts;
  }

  /** Rises with each transaction that commits one. */
  newOffset(): number {
    this.#offset += 1;
    return this.#offset;
  }

  newValue(producer: string): string {
    this.#valueCount += 1;
    return `${producer}-${this.#valueCount}`;
  }

  /** An identity that an engine has given. The same one twice would have the second one's records swallowed as duplicates. */
  given({ producerId, producerEpoch }: ProducerIdentity): void {
    const name = `${producerId}/${producerEpoch}`;
    if (this.#identities.has(name)) throw new BrokenTransaction(`producer id and epoch ${name} were given twice`);
    this.#identities.add(name);
  }

  /** Holds an engine just opened against everything; then what is there is the truth. */
  async check(life: Life): Promise<void> {
    const wrong = (what: string): never => {
      throw new BrokenTransaction(what);
    };
    const found: string[][] = [];
    for (const { topic, partition } of this.places) {
      const left = await unstable(life, topic, partition);
      if (left !== 0)
        wrong(`${topic}-${partition}: ${left} offsets are behind the last stable one: something is open that nobody will end`);
      found.push((await readCommitted(life, topic, partition)).filter((value) => value !== ""));
    }
    const expected: string[][] = this.places.map(() => []);
    for (const facts of this.transactions) {
      const isSeen = facts.sent.flatMap((values, place) => values.map((value) => found[place]!.includes(value)));
      const name = `transaction of ${facts.producer} with ${facts.sent.flat().join(" ")} (${facts.state})`;
      if (new Set(isSeen).size > 1) wrong(`${name}: part of it is there: ${isSeen.join(" ")}`);
      if (facts.state === "committed" && isSeen.includes(false)) wrong(`${name}: it was acknowledged, and is gone`);
      if (facts.state !== "committed" && facts.state !== "committing" && isSeen.includes(true)) wrong(`${name}: it is there`);
      if (facts.state === "committing")
        facts.state = isSeen.length > 0 ? (isSeen[0] ? "committed" : "aborted") : await this.#byOffset(life, facts);
      else if (facts.state !== "committed") facts.state = "aborted";
      if (facts.state === "committed") for (const [place, values] of facts.sent.entries()) expected[place]!.push(...values);
    }
    for (const [place, values] of found.entries()) {
      if (values.length !== expected[place]!.length || values.some((value) => !expected[place]!.includes(value)))
        wrong(
          `${this.places[place]!.topic}-${this.places[place]!.partition}: expected ${expected[place]!.join(" ")}, found ${values.join(" ")}`,
        );
      for (const producer of new Set(this.transactions.map((facts) => facts.producer))) {
        const mine = (all: readonly string[]): string => all.filter((value) => value.startsWith(`${producer}-`)).join(" ");
        if (mine(values) !== mine(expected[place]!)) wrong(`${producer}: out of order: ${mine(values)}`);
      }
    }
    for (const producer of new Set(this.transactions.map((facts) => facts.producer))) {
      const last = this.transactions.findLast(
        (facts) => facts.producer === producer && facts.offset !== null && facts.state === "committed",
      );
      const offset = await committedOffset(life, producer, this.readFrom, 0);
      if (offset !== (last?.offset ?? null)) wrong(`group ${producer}: expected offset ${last?.offset ?? null}, found ${offset}`);
    }
  }

  /** One that sent nothing: its offset alone tells. */
  async #byOffset(life: Life, facts: TransactionFacts): Promise<"committed" | "aborted"> {
    return (await committedOffset(life, facts.producer, this.readFrom, 0)) === facts.offset && facts.offset !== null
      ? "committed"
      : "aborted";
  }
}
