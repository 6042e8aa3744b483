/** A program, and a folder for the data of each test, made and removed around the tests of one file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { bundleProgram, type Ended, type Program, type RunOptions, removeProgram, runProgram } from "./program.ts";

export class CliBed {
  /** Empty before each test, unless the test points elsewhere. */
  data = "";
  #program: Program | null = null;
  #folder = "";

  /** To be called where tests are described. */
  constructor() {
    beforeAll(async () => {
      this.#program = await bundleProgram();
      this.#folder = mkdtempSync(join(tmpdir(), "odradek-cli-data-"));
    });
    afterAll(() => {
      if (this.#program !== null) removeProgram(this.#program);
      rmSync(this.#folder, { recursive: true, force: true });
    });
    beforeEach(() => {
      this.data = mkdtempSync(join(this.#folder, "data-"));
    });
  }

  /** Runs the program on the test's data. */
  run(args: string, options: RunOptions = {}): Promise<Ended> {
    if (this.#program === null) throw new Error("the program is bundled before the first test, and not sooner");
    return runProgram(this.#program, args.split(" "), { ...options, env: { ODRADEK_DIR: this.data } });
  }
}
