/** What an example's run came to, read out of what it printed: a line of JSON by a driver, or the summary of Node's own test runner. */

/**
 * A run that says nothing, says that nothing was tried, or ends with an exit code that its words do not explain, is one failure.
 * @param {{ code: number, output: string }} run
 * @returns {{ passed: number, failed: readonly { name: string, problem: string }[] }}
 */
export function outcomeOf({ code, output }) {
  const outcome = fromDriver(output) ?? fromNodeTest(output);
  const isTold = outcome !== null && outcome.passed + outcome.failed.length > 0 && (code === 0 || outcome.failed.length > 0);
  return isTold ? outcome : { passed: 0, failed: [{ name: "failed before it could tell how", problem: `exit ${code}\n${output}` }] };
}

function fromDriver(output) {
  const line = output.split("\n").find((each) => each.startsWith('{"passed":'));
  return line === undefined ? null : JSON.parse(line);
}

function fromNodeTest(output) {
  const count = (what) => Number(new RegExp(`^\\S+ ${what} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const [passed, failed, cancelled, skipped] = ["pass", "fail", "cancelled", "skipped"].map(count);
  if (Number.isNaN(passed + failed + cancelled + skipped)) return null;
  // What was left out is not known to hold.
  return { passed, failed: Array.from({ length: failed + cancelled + skipped }, () => ({ name: "its own test", problem: output })) };
}
