import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { projectRoot, run } from "../../scripts/run.mjs";

describe("npm run test:kafka on a machine that cannot prove it", () => {
  let programs: string;
  beforeEach(() => {
    programs = mkdtempSync(join(tmpdir(), "odradek-path-"));
  });
  afterEach(() => rmSync(programs, { recursive: true, force: true }));

  function program(name: string, script: string): void {
    writeFileSync(join(programs, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(programs, name), 0o755);
  }

  async function lastLine(): Promise<{ code: number; last: string | undefined }> {
    const script = join(projectRoot, "scripts/test-kafka.mjs");
    const { code, output } = await run(process.execPath, [script], { env: { PATH: programs } });
    return { code, last: output.trimEnd().split("\n").at(-1) };
  }

  it("says in its last line that there is no Java, and ends with 3", async () => {
    expect(await lastLine()).toEqual({ code: 3, last: "not proven: java is not installed" });
  });

  it("says so of a Java that is too old", async () => {
    program("java", `echo 'openjdk version "11.0.20" 2023-07-18' >&2`);
    expect(await lastLine()).toEqual({ code: 3, last: "not proven: java is of version 11; Apache Kafka 4 needs 17" });
  });

  it("says so of a Java without a compiler", async () => {
    program("java", `echo 'openjdk version "17.0.1" 2021-10-19' >&2`);
    expect(await lastLine()).toEqual({ code: 3, last: "not proven: javac is not installed" });
  });
});
