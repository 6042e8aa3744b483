/** Whether .ci/run is red for whatever went wrong in any of its steps, though some run beside others: each step is planted to fail. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectRoot, run } from "../../scripts/run.mjs";

const SUITES = ["test", "package", "runtimes", "examples", "kafka"];

/** What each step is called on npm's command line; a suite leaves its results where vitest would. */
const NPM = `#!/bin/sh
case "$*" in
  ci) name=install ;;
  test) name=test ;;
  "run test:"*) name=\${2#test:} ;;
  "run release:check"*) name=release ;;
  *) name=$2 ;;
esac
failed=0
[ "$name" != "$PLANTED" ] || failed=1
[ "$PLANTED $HOW" != "$name killed" ] || kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status)"
[ "$PLANTED $HOW" != "$name silent" ] || exit 1
[ "$PLANTED $HOW" != "$name mute" ] || exit 0
mkdir -p build/results
[ "$HOW" != missing ] || failed=0
case " ${SUITES.join(" ")} " in
  *" $name "*) echo "{\\"success\\":$([ $failed = 0 ] && echo true || echo false),\\"numPassedTests\\":2,\\"numFailedTests\\":$failed,\\"numPendingTests\\":0,\\"numTodoTests\\":0,\\"testResults\\":[]}" >"build/results/$name.json" ;;
esac
echo "$name was here"
[ "$PLANTED $HOW" != "$name missing" ] || exit 3
exit $failed
`;

describe(".ci/run", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "odradek-ci-"));
    for (const folder of [".ci", "scripts", "programs"]) mkdirSync(join(root, folder));
    for (const file of [".ci/run", "scripts/sum-results.mjs"]) cpSync(join(projectRoot, file), join(root, file));
    writeFileSync(join(root, "scripts/bench-guard.mjs"), 'process.exit(process.env.PLANTED === "guard" ? 1 : 0);\n');
    writeFileSync(join(root, "scripts/install-rigs.mjs"), 'process.exit(process.env.PLANTED === "fetch" ? 3 : 0);\n');
    // What the proofs need is there: nothing is to be installed.
    for (const name of ["javac", "mvn", "chromium"]) program(name, "#!/bin/sh\n");
    program("npm", NPM);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function program(name: string, text: string): void {
    writeFileSync(join(root, "programs", name), text);
    chmodSync(join(root, "programs", name), 0o755);
  }

  async function ci(planted = "", how = ""): Promise<{ code: number; last: string | undefined; output: string }> {
    const env = { PATH: [join(root, "programs"), process.env.PATH].join(delimiter), PLANTED: planted, HOW: how };
    const { code, output } = await run("bash", [join(root, ".ci/run")], { cwd: root, env, timeoutMs: 60_000 });
    return { code, output, last: output.trimEnd().split("\n").at(-1) };
  }

  it("is green when all is, with every suite in the sum, and what each step printed", async () => {
    const { code, last, output } = await ci();
    expect({ code, last }, output).toEqual({ code: 0, last: "10 passed, 0 failed" });
    for (const name of ["install", "check", "release", "demo", ...SUITES]) expect(output).toContain(`${name} was here`);
    expect(output).not.toContain("failed: ");
  });

  it.each(SUITES)("is red for one failed test of %s, which stands in the sum", async (suite) => {
    const { code, last, output } = await ci(suite);
    expect({ code, last }, output).toEqual({ code: 1, last: "10 passed, 1 failed" });
    expect(output).toContain(`failed: ${suite} \n`);
  });

  it.each(["check", "release", "guard", "demo"])("is red when %s fails, by its name", async (step) => {
    const { code, last, output } = await ci(step);
    expect({ code, last }, output).toEqual({ code: 1, last: "10 passed, 0 failed" });
    expect(output).toContain(`failed: ${step} \n`);
  });

  it.each(SUITES)("is red when %s fails before it has counted, or says nothing and calls it well", async (suite) => {
    for (const how of ["silent", "mute"]) expect(await ci(suite, how), how).toMatchObject({ code: 1, last: "8 passed, 0 failed" });
  });

  it.each(["kafka", "runtimes"])("is red when the lane of %s is killed", async (suite) => {
    const { code, output } = await ci(suite, "killed");
    expect(code, output).toBe(1);
    expect(output).toMatch(new RegExp(`^failed: .*${suite}`, "m"));
  });

  it("is green, and says so, when something could not be had", async () => {
    const { code, last, output } = await ci("kafka", "missing");
    expect({ code, last }, output).toEqual({ code: 0, last: "10 passed, 0 failed" });
    expect(output).toContain("not wholly proven here, as something could not be had: kafka");
    expect((await ci("fetch")).code).toBe(0);
  });

  it("ends at once without its packages", async () => {
    expect(await ci("install", "silent")).toMatchObject({ code: 1 });
  });
});
