/** Under a permission model that takes every flush away: a log on disk is refused with what to do, the suite in memory holds. One line of JSON. */
import * as odradek from "odradek";
import { runSuite } from "./isolate.mjs";

const outcome = await runSuite();
const name = "a log on disk is refused, with what to do";
try {
  await odradek.open(process.argv[2]);
  outcome.failed.push({ name, problem: "it was not refused" });
} catch (error) {
  if (error.code === "PERMISSION_DENIED" && /flush.*--permission.*memory\(\)/.test(error.message)) outcome.passed += 1;
  else outcome.failed.push({ name, problem: error.stack });
}
console.log(JSON.stringify(outcome));
