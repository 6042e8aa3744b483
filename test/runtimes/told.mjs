/** As much of a test framework as a driver of something real needs: what held, what did not, nothing waited for for ever, and one line of JSON about it. */
const failed = [];
let passed = 0;
/** A promise that is not kept by then is broken. */
const promiseMsMax = 60_000;
/** What is put away at the end: what does not go by then goes with the process. */
const endMsMax = 10_000;

/** One promise. Later ones are tried all the same. */
export async function told(name, body) {
  try {
    await inTime(promiseMsMax, name, body());
    passed += 1;
  } catch (error) {
    failed.push({ name, problem: error instanceof Error ? error.stack : String(error) });
  }
}

/** What a suite of promises came to, counted with the others. */
export function add(outcome) {
  passed += outcome.passed;
  failed.push(...outcome.failed);
}

/** As `promise`; rejects when that takes longer than `msMax`. */
export async function inTime(msMax, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer after ${msMax} ms`)), msMax);
  });
  return await Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A browser's context that is closed in the middle of a navigation may never say so, a server may keep a connection: nobody waits for either. */
export async function putAway(what, closing) {
  await inTime(endMsMax, what, closing).catch((error) => process.stderr.write(`${error.message}\n`));
}

/** The last line that a driver prints, and its end: `further` are more fields of it. */
export function report(further = {}) {
  process.stdout.write(`${JSON.stringify({ passed, failed, ...further })}\n`, () => process.exit(0));
}
