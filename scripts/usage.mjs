/** A script's flags, looked at before it does anything: `--help` prints the script's own head and ends, and one that it does not know is refused. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Ends the process for `--help` with exit code 0, and for a flag that is not known with 2.
 * @param {string} url of the script, whose head says how it is run
 * @param {readonly string[]} known with their hyphens
 */
export function checkFlags(url, known) {
  const script = fileURLToPath(url);
  const flags = process.argv.slice(2).filter((word) => word.startsWith("-"));
  if (flags.includes("--help") || flags.includes("-h")) {
    process.stdout.write(`${headOf(readFileSync(script, "utf8"))}\n`);
    process.exit(0);
  }
  const unknown = flags.filter((flag) => !known.includes(flag.split("=")[0]));
  if (unknown.length === 0) return;
  process.stderr.write(`${basename(script, ".mjs")}: there is no ${unknown.join(", ")}; --help says what there is\n`);
  process.exit(2);
}

/** @param {string} text that begins with a comment */
function headOf(text) {
  return text
    .slice("/**".length, text.indexOf("*/"))
    .replaceAll(/^ \* ?/gm, "")
    .trim();
}
