/** As much of a test framework as a driver of an example needs: what held, what did not, and one line of JSON about it. */
const failed = [];
let passed = 0;

/** One promise of the example. Later ones are tried all the same. */
export async function told(name, body) {
  try {
    await body();
    passed += 1;
  } catch (error) {
    failed.push({ name, problem: error instanceof Error ? error.stack : String(error) });
  }
}

/** The last line that a driver prints. */
export function report() {
  console.log(JSON.stringify({ passed, failed }));
}
