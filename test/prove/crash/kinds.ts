/** What a trial of crashes consists of: each kind of disk, and how often it has its turn. */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Account } from "./account.ts";
import { CrashTree } from "./crash-tree.ts";
import { compactionCrashes, compactionSubject } from "./engine-compaction.ts";
import { longCrashes, shortCrashes, shortProgram, topicsSubject } from "./engine-topics.ts";
import { transactionCrashes, transactionsSubject } from "./engine-transactions.ts";
import { keyedLife, keyedSettings, keyedSubject } from "./keyed-log.ts";
import { longLives } from "./long-lives.ts";
import { plainLife, plainSettings, plainSubject } from "./plain-log.ts";
import { producerLife, producerSubject } from "./producer-log.ts";
import { smallCrashes, smallProgram } from "./small-log.ts";

export interface Kind {
  readonly name: string;
  /** How many times in a trial; below 1: in so many of the trials. */
  readonly turns: number;
  /** `turn` counts over all trials, so that what goes by rotation comes round. */
  readonly run: (account: Account, random: SeededRandom, turn: number) => Promise<void>;
}

const RECOVERY_POINT_INTERVALS = [200, 64 * 1024 * 1024];
/** With the larger one a slow flush is overtaken by rolls. */
const UNFLUSHED_BYTES = [500, 500, 3000];

export const KINDS: readonly Kind[] = [
  {
    name: "log",
    turns: 1.5,
    async run(account, random) {
      const settings = plainSettings(
        random.chance(0.4),
        random.pick(RECOVERY_POINT_INTERVALS),
        random.chance(0.25) ? "os" : "sync",
        random.pick(UNFLUSHED_BYTES),
      );
      const tree = new CrashTree(plainSubject("log", settings), account, random);
      await tree.explore(await plainLife(tree, random, settings, 2));
    },
  },
  {
    name: "log, every program of three operations",
    turns: 2,
    async run(account, random, turn) {
      const program = smallProgram(turn);
      const tree = new CrashTree(plainSubject("log, every program of three operations", program.settings), account, random);
      await tree.explore(await smallCrashes(tree, program));
    },
  },
  {
    name: "compacted log",
    turns: 0.3,
    async run(account, random) {
      const settings = keyedSettings(random.chance(0.4) ? "os" : "sync", random.pick(UNFLUSHED_BYTES));
      const tree = new CrashTree(keyedSubject(settings), account, random);
      await tree.explore(await keyedLife(tree, random, settings, 1));
    },
  },
  {
    name: "log with producers",
    turns: 0.8,
    async run(account, random) {
      const tree = new CrashTree(producerSubject, account, random);
      await tree.explore(await producerLife(tree, random, 0.7));
    },
  },
  {
    name: "engine, every program of three steps",
    turns: 1.2,
    async run(account, random, turn) {
      const tree = new CrashTree(topicsSubject, account, random);
      await tree.explore(await shortCrashes(tree, shortProgram(turn), 0.5, random));
    },
  },
  {
    name: "engine",
    turns: 1.2,
    async run(account, random) {
      const tree = new CrashTree(topicsSubject, account, random);
      await tree.explore(await longCrashes(tree, 0.2, random));
    },
  },
  {
    name: "engine with transactions",
    turns: 1,
    async run(account, random) {
      const tree = new CrashTree(transactionsSubject, account, random);
      await tree.explore(await transactionCrashes(tree, 0.16, random));
    },
  },
  {
    name: "engine with compaction",
    turns: 0.3,
    async run(account, random) {
      const tree = new CrashTree(compactionSubject, account, random);
      await tree.explore(await compactionCrashes(tree, 0.2, random));
    },
  },
  { name: "lives", turns: 0.04, run: (account, random) => longLives(account, "engine, life after life", random.integer(0, 1e9)) },
  {
    name: "lives with compaction and transactions",
    turns: 0.025,
    run: (account, random) => longLives(account, "engine with compaction and transactions, life after life", random.integer(0, 1e9)),
  },
];
