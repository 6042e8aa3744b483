/**
 * `npm run test:kafka`: fetches Apache Kafka's jars by test/compat/kafka/pom.xml, compiles the Java beside it, and runs the suites.
 * Without Java or the jars the last line is `not proven: <reason>` and the exit code 3; no other part is ever left out.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { projectRoot, run, runNode } from "./run.mjs";

const rig = join(projectRoot, "test/compat/kafka");
const home = join(projectRoot, "build/kafka");
const library = join(home, "lib");
const classes = join(home, "classes");
const javaVersionMin = 17;
const mavenMsMax = 240_000;
const buildMsMax = 180_000;
const javaMsMax = 60_000;
/** At rest it takes four minutes; whatever hangs is ended with its brokers. */
const suitesMsMax = 900_000;

await needJava();
await needJars();
await compile();

const build = await runNode("scripts/build.mjs", [], { inherit: true, timeoutMs: buildMsMax });
if (build.code !== 0) process.exit(1);
mkdirSync(join(projectRoot, "build/results"), { recursive: true });
const { code } = await runNode(
  "node_modules/vitest/vitest.mjs",
  [
    "run",
    `--config=${join(rig, "vitest.config.ts")}`,
    "--reporter=verbose",
    "--reporter=json",
    `--outputFile.json=${join(projectRoot, "build/results/kafka.json")}`,
    ...process.argv.slice(2),
  ],
  { inherit: true, timeoutMs: suitesMsMax, env: { ODRADEK_KAFKA_CLASSPATH: [classes, join(library, "*")].join(delimiter) } },
);
// 3 means "not proven" here, and a suite that ran is never that.
process.exit(code === 0 ? 0 : 1);

async function needJava() {
  for (const program of ["java", "javac"]) {
    const { code, output } = await run(program, ["-version"], { timeoutMs: javaMsMax }).catch(() => ({ code: 127, output: "" }));
    if (code !== 0) notProven(`${program} is not installed`);
    const version = Number(/(?:version "|javac )(\d+)/.exec(output)?.[1] ?? 0);
    if (version < javaVersionMin) notProven(`${program} is of version ${version}; Apache Kafka 4 needs ${javaVersionMin}`);
  }
}

async function needJars() {
  const stamp = join(library, ".pom");
  const wanted = createHash("sha256")
    .update(readFileSync(join(rig, "pom.xml")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  rmSync(library, { recursive: true, force: true });
  const { code, output } = await run(
    "mvn",
    ["-B", "-q", "-f", join(rig, "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${library}`],
    { timeoutMs: mavenMsMax },
  ).catch(() => ({ code: 127, output: "mvn is not installed" }));
  const jars = existsSync(library) ? readdirSync(library).filter((name) => name.endsWith(".jar")) : [];
  if (code !== 0 || jars.length === 0) {
    process.stdout.write(`${output}\n`);
    notProven(code === 127 ? "mvn is not installed" : "Apache Kafka's jars cannot be fetched");
  }
  writeFileSync(stamp, wanted);
}

/** Java that does not compile is our fault, not the machine's. */
async function compile() {
  rmSync(classes, { recursive: true, force: true });
  mkdirSync(classes, { recursive: true });
  const sources = readdirSync(join(rig, "java"))
    .filter((name) => name.endsWith(".java"))
    .map((name) => join(rig, "java", name));
  const args = ["--release", "17", "-encoding", "UTF-8", "-cp", join(library, "*"), "-d", classes, ...sources];
  const { code, output } = await run("javac", args, { timeoutMs: javaMsMax });
  if (code === 0) return;
  process.stderr.write(`${output}\ntest:kafka: the Java programs do not compile\n`);
  process.exit(1);
}

function notProven(reason) {
  process.stdout.write(`not proven: ${reason}\n`);
  process.exit(3);
}
