/**
 * `npm run prove`: shows that nothing acknowledged is lost, for as long as one likes to look. Runs the provers of test/prove side by side
 * until each has done its share, or the time is over. Every trial follows from a seed; one that failed is run again by its name.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import * as clack from "@clack/prompts";
import { Command, Option } from "commander";
import { Book } from "./prove-book.mjs";
import { bundleProvers } from "./prove-bundle.mjs";
import { record } from "./prove-ledger.mjs";
import { Worker } from "./prove-pool.mjs";
import { MUTATION_MINUTES, TIERS, targetsOf } from "./prove-tiers.mjs";
import { projectRoot, runNode } from "./run.mjs";

const TOLD_EVERY_MS = 30_000;

const program = new Command("prove")
  .description("Shows that nothing acknowledged is lost: crashes, errors, flipped bits, kills, models, fuzz and planted bugs.")
  .addOption(new Option("--tier <name>", "how long").choices(Object.keys(TIERS)).default("ten"))
  .option("--minutes <n>", "so long instead, and as much in proportion", Number)
  .option("--only <names>", "these provers alone, by comma", (text) => text.split(","))
  .option("--seed <n>", "where seeds begin; by chance unless given", Number)
  .option("--workers <n>", "processes; as many as processors unless given", Number, availableParallelism())
  .option("--replay <name>", "one trial again, as a failure names it: prover:seed")
  .option("--json", "end with one line of JSON")
  .option("--record", "enter the run into proof/ledger.jsonl and the table of docs/DURABILITY.md")
  // As every script here ends that is given words it does not know.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const options = program.opts();
const minutes = options.minutes ?? TIERS[options.tier];
if (!(minutes > 0)) program.error(`expected minutes above 0, found ${options.minutes}`);
if (!(options.workers >= 1)) program.error(`expected at least one worker, found ${options.workers}`);

// Killed processes run the package as its users have it.
const built = await runNode("scripts/build.mjs", [], { inherit: true });
if (built.code !== 0) process.exit(built.code);
mkdirSync(join(projectRoot, "build/prove"), { recursive: true });
const file = join(projectRoot, "build/prove/worker.mjs");
await bundleProvers(file);
process.exitCode = await (options.replay === undefined ? prove() : replay(options.replay));

/** @returns {Promise<number>} the exit code */
async function replay(name) {
  const [prover, seed] = name.split(":");
  const worker = new Worker(file);
  await worker.start();
  if (worker.provers[prover] === undefined || !/^\d+$/.test(seed ?? ""))
    program.error(`--replay ${name}: expected prover:seed, of ${Object.keys(worker.provers).join(", ")}`);
  const { tally, broken } = await worker.run({ prover, seed: Number(seed), aloud: true });
  worker.stop();
  process.stdout.write(`${name}: ${JSON.stringify(tally?.counts ?? {})}\n`);
  for (const { breach, what } of tally?.failures ?? [{ breach: "other", what: broken }]) process.stdout.write(`  ${breach}: ${what}\n`);
  return broken === undefined && tally.failures.length === 0 ? 0 : 1;
}

/** @returns {Promise<number>} the exit code */
async function prove() {
  const isNight = options.minutes === undefined && options.tier === "night";
  const workers = Array.from({ length: options.workers }, () => new Worker(file));
  await Promise.all(workers.map((worker) => worker.start()));
  const [{ provers }] = workers;
  const unknown = options.only?.filter((name) => provers[name] === undefined) ?? [];
  if (unknown.length > 0) program.error(`no prover is called ${unknown.join(" or ")}: there are ${Object.keys(provers).join(", ")}`);
  const targets = Object.fromEntries(
    Object.entries(targetsOf(minutes, isNight, workers[0].zooCount)).filter(
      ([name]) => provers[name] !== undefined && (options.only?.includes(name) ?? true),
    ),
  );

  const book = new Book();
  const began = performance.now();
  const endsAt = began + minutes * 60_000;
  // Seeds of one run are its own; those of the zoo go round by the day.
  const first = options.seed ?? Math.floor(Math.random() * 2 ** 31);
  const nextSeed = Object.fromEntries(
    Object.keys(targets).map((name) => [name, name === "zoo" && options.seed === undefined ? day() * 10 : first]),
  );
  const underWay = {};
  const perTrial = {};

  const doneOf = (name) => (book.sums[provers[name]] ?? 0) / targets[name];
  /** The one that is furthest behind, trials under way counted by what one brought before. */
  const next = () => {
    const open = Object.keys(targets).filter((name) => doneOf(name) + ((underWay[name] ?? 0) * (perTrial[name] ?? 0)) / targets[name] < 1);
    const share = (name) => doneOf(name) + ((underWay[name] ?? 0) * (perTrial[name] ?? targets[name] / 20)) / targets[name];
    return open.sort((left, right) => share(left) - share(right))[0];
  };
  const work = async (worker) => {
    for (let name = next(); name !== undefined && performance.now() < endsAt; name = next()) {
      const seed = nextSeed[name] % 2 ** 32;
      nextSeed[name] += 1;
      underWay[name] = (underWay[name] ?? 0) + 1;
      const { tally, broken, spentMs } = await worker.run({ prover: name, seed });
      underWay[name] -= 1;
      if (tally === undefined) book.broke(name, seed, broken);
      else {
        book.enter(name, seed, tally, spentMs);
        perTrial[name] = tally.counts[provers[name]] ?? 0;
      }
      // A prover that is broken says so a few times, not for ten minutes.
      if (book.failed.filter((failure) => failure.name.startsWith(`${name}:`)).length >= 20) delete targets[name];
    }
  };

  const told = progress(() => Object.keys(targets).map((name) => `${name} ${Math.min(100, Math.floor(doneOf(name) * 100))} %`));
  await Promise.all(workers.map(work));
  told.end(`${book.trials} trials in ${Math.round((performance.now() - began) / 1000)} s, seeds from ${first} on`);
  for (const worker of workers) worker.stop();

  const short = Object.fromEntries(
    Object.keys(targets)
      .filter((name) => doneOf(name) < 1)
      .map((name) => [name, Number(doneOf(name).toFixed(3))]),
  );
  const about = { minutes, seconds: Math.round((performance.now() - began) / 1000), seed: first, workers: options.workers, short };
  tell(book, short);
  if (isNight && options.only === undefined) about.mutation = await mutants();
  if (options.record) record(book, about);
  if (options.json) process.stdout.write(`${book.line(about)}\n`);
  return book.failed.length === 0 ? 0 : 1;
}

/** The score of the mutants: of the core's instructions, and of the TypeScript. Told and entered; there is no score that fails. */
async function mutants() {
  const scores = {};
  for (const [name, script] of [
    ["core", "scripts/mutate-core.mjs"],
    ["typescript", "scripts/mutate.mjs"],
  ]) {
    process.stdout.write(`prove: mutants, ${name}\n`);
    const { output } = await runNode(script, ["--sample", "10000", "--minutes", String(MUTATION_MINUTES), "--json"]);
    const last = output.trim().split("\n").at(-1) ?? "";
    scores[name] = last.startsWith("{") ? JSON.parse(last) : { problem: last };
    process.stdout.write(`${last}\n`);
  }
  return scores;
}

function day() {
  return Math.floor(Date.now() / 86_400_000);
}

function tell({ sums, failed, spentMs }, short) {
  for (const [name, sum] of Object.entries(sums)) process.stdout.write(`${name.padEnd(22)}${sum.toLocaleString("en").padStart(14)}\n`);
  process.stdout.write(
    `seconds of work       ${Object.entries(spentMs)
      .map(([name, ms]) => `${name} ${Math.round(ms / 1000)}`)
      .join(", ")}\n`,
  );
  for (const [name, share] of Object.entries(short))
    process.stdout.write(`${name}: the time was over at ${Math.round(share * 100)} % of its share\n`);
  for (const { name, breach, what } of failed) process.stdout.write(`FAILED ${name} (${breach}): ${what}\n`);
  process.stdout.write(
    failed.length === 0 ? "prove: every promise held\n" : `prove: ${failed.length} failed; again with --replay <name>\n`,
  );
}

/** On a terminal a line that changes, elsewhere one every half a minute. */
function progress(what) {
  const line = () => what().join(", ");
  if (process.stdout.isTTY !== true) {
    const timer = setInterval(() => process.stdout.write(`prove: ${line()}\n`), TOLD_EVERY_MS);
    return {
      end(text) {
        clearInterval(timer);
        process.stdout.write(`prove: ${text}\n`);
      },
    };
  }
  const spinner = clack.spinner({ indicator: "timer" });
  spinner.start("proving");
  const timer = setInterval(() => spinner.message(line()), 500);
  return {
    end(text) {
      clearInterval(timer);
      spinner.stop(text);
    },
  };
}
