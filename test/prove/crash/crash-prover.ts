/** Loss of power at any call of the storage, of logs and of whole engines, again while they recover: what was promised is there. */
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Prover, Tally, Trial } from "../prover.ts";
import { Account } from "./account.ts";
import { CrashTree } from "./crash-tree.ts";
import { plainLife, plainSettings, plainSubject } from "./plain-log.ts";
import { smallProgram, smallCrashes } from "./small-log.ts";
import { keyedLife, keyedSubject } from "./keyed-log.ts";
import { producerLife, producerSubject } from "./producer-log.ts";

export const crashProver: Prover = {
  name: "crash",
  unit: "crashStates",
  async run({ seed, say }: Trial): Promise<Tally> {
    const account = new Account();
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit=0;
    const random = new SeededRandom(seed);
    const t: Record<string, number> = {};
    const timed = async (n: string, f: () => Promise<void>) => { const s=process.cpuUsage(); await f(); const u=process.cpuUsage(s); t[n]=(t[n]??0)+(u.user+u.system)/1000; };
    await timed("log", async () => {
    const settings = plainSettings(random.chance(0.4), random.pick([200, 64 * 1024 * 1024]));
    const tree = new CrashTree(plainSubject("log", settings), account, random);
    await tree.explore(await plainLife(tree, random, settings, 2));
    });
    await timed("small", async () => {
    const program = smallProgram(seed);
    const tree = new CrashTree(plainSubject("small", program.settings), account, random);
    await tree.explore(await smallCrashes(tree, program));
    });
    await timed("keyed", async () => {
    const tree = new CrashTree(keyedSubject, account, random);
    await tree.explore(await keyedLife(tree, random, 1));
    });
    await timed("producer", async () => {
    const tree = new CrashTree(producerSubject, account, random);
    await tree.explore(await producerLife(tree, random, 1));
    });
    say(JSON.stringify(account.byKind)+JSON.stringify(t));
    return account.tally();
  },
};
