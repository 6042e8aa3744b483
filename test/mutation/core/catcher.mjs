/** A worker that asks the tests of test/core about one binary after the other, and answers with the first that sees something wrong. */
import { parentPort } from "node:worker_threads";
import "../../core/crc32c.test.ts";
import "../../core/varint.test.ts";
import "../../core/murmur2.test.ts";
import "../../core/index-entries.test.ts";
import "../../core/scan.test.ts";
import "../../core/validate.test.ts";
import "../../core/record-search.test.ts";
import "../../core/batch-writer.test.ts";
import "../../core/compactor.test.ts";
import "../../core/codecs.test.ts";
import "../../core/load-core.test.ts";
import "../../core/negative-lengths.test.ts";
import "../../core/memory-ranges.test.ts";
import "../../core/window-pass.test.ts";
import { tests } from "./collected.mjs";
import { setBinary } from "./mutant-builds.ts";
import { setChance } from "./seeded-check.mjs";

/** Every instance made since the last look. */
let instances = [];
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    instances.push(this);
  }
};

/** @returns {number[]} the functions that were entered, in a binary with probes */
function entered() {
  const names = new Set();
  for (const { exports } of instances) {
    for (const [name, value] of Object.entries(exports)) if (name.startsWith("entered") && value.value === 1) names.add(name);
  }
  instances = [];
  return [...names].map((name) => Number(name.slice("entered".length)));
}

/** `chosen`: which tests, by their numbers, in that order. */
parentPort.on("message", async ({ binary, chosen, seed, share, all }) => {
  setBinary(binary);
  setChance(seed, share);
  const ran = [];
  for (const number of chosen ?? tests.keys()) {
    instances = [];
    const startMs = performance.now();
    let wrong = null;
    try {
      await tests[number].run();
    } catch (error) {
      wrong = String(error?.message ?? error).slice(0, 300);
    }
    ran.push({ number, name: tests[number].name, ms: performance.now() - startMs, wrong, entered: all ? entered() : [] });
    if (wrong !== null && !all) break;
  }
  instances = [];
  parentPort.postMessage(ran);
});
