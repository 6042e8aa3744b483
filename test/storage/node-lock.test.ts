/** One writer to a directory: never two, and never nobody for want of a dead one's leave. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { nodeHolder, nodeStorage } from "../../src/storage/node.ts";
import { lockDirectory } from "../../src/storage/node-lock.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { bundle, directory, lockOrder, type Mechanism, opener, optionsOf, refusal, takeAndRelease, useLockBed } from "./lock-bed.ts";
import type { Answer } from "./lock-processes.ts";

useLockBed();

const MECHANISMS: readonly Mechanism[] = ["auto", "socket"];
const RACE_ROUNDS: Readonly<Record<Mechanism, number>> = { auto: 100, socket: 40 };
const KILL_ROUNDS = 12;

describe.each(MECHANISMS)("the lock of a directory (%s)", (mechanism) => {
  it("goes to exactly one of 16 openers after the owner was killed, round after round", { timeout: 60_000 }, async () => {
    let crowd = await Promise.all(Array.from({ length: 16 }, () => opener()));
    // Who comes next starts while the others race: starting is what takes the time.
    const spares = [opener(), opener(), opener()];
    for (let round = 0; round < RACE_ROUNDS[mechanism]; round++) {
      const answers = await Promise.all(crowd.map((one) => one.order(lockOrder(mechanism, { retryMs: 0 }))));
      const owners = crowd.filter((one) => one.held);
      expect(owners.length, `round ${round}: ${JSON.stringify(answers.filter((answer) => answer?.code !== "DIRECTORY_IN_USE"))}`).toBe(1);
      const owner = owners[0]!;
      await owner.kill();
      spares.push(opener());
      crowd = [...crowd.filter((one) => one !== owner), await spares.shift()!];
    }
    await Promise.all(spares);
    const left = readdirSync(directory);
    expect(left.length, left.join(" ")).toBeLessThanOrEqual(2);
  });

  it("goes to one at most, and is never lost, while openers are killed at any moment", { timeout: 60_000 }, async () => {
    const random = new SeededRandom(`kills ${mechanism}`);
    let crowd = await Promise.all(Array.from({ length: 6 }, () => opener()));
    for (let round = 0; round < KILL_ROUNDS; round++) {
      const answers: Promise<Answer | null>[] = crowd.map((one) => one.order(lockOrder(mechanism)));
      const victims = crowd.filter(() => random.chance(0.35));
      const kills = victims.map(async (victim) => {
        await new Promise((wake) => setTimeout(wake, random.integer(0, 25)));
        await victim.kill();
      });
      await Promise.all([...answers, ...kills]);
      const owners = crowd.filter((one) => one.held && !one.dead);
      expect(owners.length, `round ${round}`).toBeLessThanOrEqual(1);
      if (owners.length === 0) {
        expect(victims.length, `round ${round}: no owner though nobody was killed`).toBeGreaterThan(0);
        await takeAndRelease(mechanism);
      } else {
        expect((await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism, { retryMs: 0 })))).code).toBe("DIRECTORY_IN_USE");
        await owners[0]!.order({ do: "release" });
      }
      const living = crowd.filter((one) => !one.dead);
      crowd = [...living, ...(await Promise.all(Array.from({ length: 6 - living.length }, () => opener())))];
    }
    await takeAndRelease(mechanism);
  });

  it("is kept by an owner that is stopped, and free once it is killed", async () => {
    const owner = await opener();
    expect((await owner.order(lockOrder(mechanism)))?.held).toBe(true);
    owner.process.kill("SIGSTOP");
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism)));
    expect(error.code).toBe("DIRECTORY_IN_USE");
    await owner.kill();
    await takeAndRelease(mechanism);
  });

  it("tells the second opener who holds it", async () => {
    const owner = await opener();
    await owner.order(lockOrder(mechanism));
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism)));
    expect(error.code).toBe("DIRECTORY_IN_USE");
    expect(error.retriable).toBe(true);
    expect(error.holder).toMatchObject({ pid: owner.pid, runtime: "node", version: process.versions.node });
    expect(error.message).toContain(`process ${owner.pid} (node ${process.versions.node})`);
    expect(error.message).toContain("opener.mjs");
  });

  it("is free for others at once after release", async () => {
    const one = await opener();
    const other = await opener();
    for (let turn = 0; turn < 5; turn++) {
      expect((await one.order(lockOrder(mechanism)))?.held).toBe(true);
      expect((await other.order(lockOrder(mechanism, { retryMs: 0 })))?.code).toBe("DIRECTORY_IN_USE");
      expect((await one.order({ do: "release" }))?.held).toBe(false);
      expect((await other.order(lockOrder(mechanism)))?.held).toBe(true);
      await other.order({ do: "release" });
    }
  });

  it("excludes across network, process and mount namespaces", async () => {
    for (const namespaces of [["-n"], ["-n", "-p", "-f", "-m", "--mount-proc"]]) {
      if (!canUnshare(namespaces)) {
        process.stderr.write(`not tested here: this machine does not permit unshare ${namespaces.join(" ")}\n`);
        continue;
      }
      const owner = await opener(["unshare", ...namespaces]);
      expect((await owner.order(lockOrder(mechanism)))?.held).toBe(true);
      const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism)));
      expect(error.code).toBe("DIRECTORY_IN_USE");
      expect(error.holder).toMatchObject({ pid: owner.pid });
      const inside = await opener(["unshare", ...namespaces]);
      expect((await inside.order(lockOrder(mechanism, { retryMs: 0 })))?.code).toBe("DIRECTORY_IN_USE");
      // By its input's end, because a signal to unshare would not reach the one inside.
      owner.process.stdin!.end();
      inside.process.stdin!.end();
      await Promise.all([owner.kill("SIGCONT"), inside.kill("SIGCONT")]);
      await takeAndRelease(mechanism);
    }
  });

  it("is seen from a worker thread, and held by one", async () => {
    const mine = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
    const worker = new Worker(WORKER, {
      eval: true,
      workerData: { bundle: lockModule(), directory, options: optionsOf(mechanism, { retryMs: 20 }) },
    });
    const say = async (): Promise<string> => {
      worker.postMessage("lock");
      return (await once(worker, "message"))[0] as string;
    };
    expect(await say()).toBe("DIRECTORY_IN_USE");
    await mine.release();
    expect(await say()).toBe("held");
    expect((await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism)))).code).toBe("DIRECTORY_IN_USE");
    await worker.terminate();
    if (mechanism === "socket") await takeAndRelease(mechanism);
  });

  it("is refused a second time in one process, which is told where it was opened", async () => {
    const lock = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf(mechanism)));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.code).toBe("ALREADY_OPEN");
    expect(error.message).toContain("node-lock.test.ts");
    await lock.release();
    await takeAndRelease(mechanism);
  });

  it("excludes two copies of this code in one process, by the registry they share", async () => {
    const lock = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
    const registry = (globalThis as { [key: symbol]: unknown })[Symbol.for("odradek.locks")] as Map<unknown, string>;
    expect([...registry.keys()]).toContain(directory);
    await lock.release();
    expect([...registry.keys()]).not.toContain(directory);
  });

  it("is one for every path that leads to the directory", async () => {
    const link = `${directory}-link`;
    execFileSync("ln", ["-s", directory, link]);
    try {
      const lock = await nodeStorage(link).lock(nodeHolder(), optionsOf(mechanism));
      expect((await refusal(nodeStorage(directory).lock(nodeHolder(), optionsOf(mechanism)))).code).toBe("ALREADY_OPEN");
      await lock.release();
    } finally {
      rmSync(link);
    }
  });

  it("works where the path is longer than a socket's may be", async () => {
    const deep = join(directory, "d".repeat(200));
    mkdirSync(deep);
    const lock = await lockDirectory(deep, nodeHolder(), optionsOf(mechanism));
    const second = await opener();
    expect((await second.order({ do: "lock", directory: deep, options: optionsOf(mechanism, { retryMs: 0 }) }))?.code).toBe(
      "DIRECTORY_IN_USE",
    );
    await lock.release();
  });

  it("notices that someone took its file away", async () => {
    const lock = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
    rmSync(join(directory, ".odradek-lock"), { recursive: true });
    expect(lock.stillHeld()).toBe(false);
    await lock.release();
  });

  it("does not let the two mechanisms hold one directory", async () => {
    const other = mechanism === "auto" ? "socket" : "auto";
    const lock = await lockDirectory(directory, nodeHolder(), optionsOf(mechanism));
    const second = await opener();
    const answer = await second.order(lockOrder(other, { retryMs: 0 }));
    expect(answer?.held).toBe(false);
    expect(answer?.code).toBe("LOCK_UNAVAILABLE");
    expect(answer?.message).toMatch(/lock: "(socket|auto)"/);
    await lock.release();
  });

  it("does not keep the process from ending", async () => {
    const owner = await opener();
    await owner.order(lockOrder(mechanism));
    owner.process.stdin!.end();
    await owner.kill("SIGCONT");
    expect(owner.process.exitCode).toBe(0);
    await takeAndRelease(mechanism);
  });
});

const WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
parentPort.on("message", async () => {
  const { lockDirectory } = await import(workerData.bundle);
  const holder = { pid: process.pid, runtime: "worker", version: "", since: "", argv: [], hostname: "" };
  try {
    globalThis.lock = await lockDirectory(workerData.directory, holder, workerData.options);
    parentPort.postMessage("held");
  } catch (error) {
    parentPort.postMessage(error.code ?? String(error));
  }
});`;

/** The lock alone, for a thread that loads no TypeScript. */
function lockModule(): string {
  return bundle.path.replace("opener.mjs", "lock.mjs");
}

function canUnshare(namespaces: readonly string[]): boolean {
  try {
    execFileSync("unshare", [...namespaces, "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
