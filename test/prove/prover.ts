/** What every prover is: something that makes trials of the engine, each from one seed, and counts what it tried and what broke. */

/** How a promise was broken: acknowledged and gone, a gap, what was never written there, a flipped bit taken for good, or another. */
export type Breach = "lost" | "hole" | "phantom" | "undetectedFlip" | "other";

/** What a trial counts; each sums over trials. */
export interface Counts {
  /** Disks that a crash left, opened and held against the oracle; of these, those that were crashed again while they were being opened. */
  readonly crashStates?: number;
  readonly recrashed?: number;
  /** Of the disks, those of whole engines, the others being of one partition's log; and how many of each kind there were. */
  readonly engineCrashStates?: number;
  readonly [ofKind: `crashStates: ${string}`]: number;
  /** Calls of the storage, allocations or growths that were made to fail, or to do less than asked, and did. */
  readonly injectedErrors?: number;
  /** Bits flipped in a directory of ours, one at a time, and the directory read; in a directory by Kafka; of these, not seen at first sight. */
  readonly bitFlips?: number;
  readonly brokerBitFlips?: number;
  readonly brokerBitFlipsUnseen?: number;
  /** Files swapped, cut, mixed from two moments, sectors misdirected, runs of bytes spoilt. */
  readonly harms?: number;
  /** Processes killed, and what they left read. */
  readonly killCycles?: number;
  /** Commands run on the engine and on its model. */
  readonly modelCommands?: number;
  /** Inputs made up for a decoder. */
  readonly fuzzInputs?: number;
  /** Seeds run twice; of these, with the same calls of the storage both times. */
  readonly tracesCompared?: number;
  readonly tracesEqual?: number;
  /** Planted bugs tried; of these, caught; and catchers that were red without the bug as well, and so have caught nothing. */
  readonly zooTotal?: number;
  readonly zooCaught?: number;
  readonly zooAlwaysRed?: number;
}

/** One promise that did not hold. */
export interface Failure {
  readonly breach: Breach;
  /** What, where, and what was expected: a sentence. */
  readonly what: string;
}

export interface Tally {
  readonly counts: Counts;
  readonly failures: readonly Failure[];
  /** Of each crash state in `counts`: a number (below 2^53) that two equal disks share, so that states met twice count once. */
  readonly stateHashes?: readonly number[];
}

export interface Trial {
  /** All chance in the trial comes from it; a trial of the same seed does the same again. Below 2^32. */
  readonly seed: number;
  /** A new directory of the real file system, empty, removed after the trial. For those that need one. */
  readonly directory: () => string;
  /** Told when the trial is a replay: tells what happens. Says nothing in a run. */
  readonly say: (line: string) => void;
}

export interface Prover {
  /** Part of a failure's name, `<prover>:<seed>`: lower case, no colon. */
  readonly name: string;
  /** What its share of the work is measured in. */
  readonly unit: keyof Counts;
  /** One trial, of about 0.2 to 2 seconds. Rejects only when the prover itself is broken: what is wrong with the engine is a `Failure`. */
  readonly run: (trial: Trial) => Promise<Tally>;
}
