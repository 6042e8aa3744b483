/** Lives of one disk, one after another, each on a machine that dies at a call of its storage, or whose flushes fail: every disk between two lives is a state. */
import { engineLives } from "../../simulation/engine-lives.ts";
import { guaranteesLives } from "../../simulation/guarantees-lives.ts";
import type { Account } from "./account.ts";

const LIVES = { "engine, life after life": engineLives, "engine with compaction and transactions, life after life": guaranteesLives };

export async function longLives(account: Account, kind: keyof typeof LIVES, seed: number): Promise<void> {
  const fingerprints: number[] = [];
  try {
    const { recoveredFrom } = await LIVES[kind](seed, (left) => void fingerprints.push(left.fingerprint()));
    for (const [index, fingerprint] of fingerprints.entries()) account.note(kind, fingerprint, recoveredFrom[index] === false);
  } catch (error) {
    account.fail(kind, `seed ${seed}`, error);
  }
}
