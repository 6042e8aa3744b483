/** What `open` takes besides a place, and what becomes of what is still being opened when the log is closed. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { OpenOptions } from "../../src/api/index.ts";
import { webAssembly } from "../../src/core/web-assembly.ts";
import { memory, open, utf8 } from "../../src/index.ts";
import { temporaryDirectory } from "./support.ts";

describe("open", () => {
  it("refuses to attach and only to read at once, and a core that is none", async () => {
    const path = temporaryDirectory();
    for (const options of [{ attach: true, readOnly: true }, { wasm: null }] as unknown as OpenOptions[])
      await expect(open(path, options)).rejects.toMatchObject({ name: "UsageError", code: "INVALID_ARGUMENT" });
  });

  it.each([{}, { attach: true }])("with %j works on a core that the program brings", async (how) => {
    const wasm = await webAssembly()!.compile(readFileSync("build/core.release.wasm"));
    const log = await open(temporaryDirectory(), { ...how, wasm });
    await log.createTopic("orders");
    await log.producer({ value: utf8 }).send({ topic: "orders", value: "a" });
    expect((await log.read({ topic: "orders", partition: 0, offset: 0 }, { key: utf8, value: utf8 }))?.value).toBe("a");
    await log.close();
  });
});

describe("close", () => {
  it("leaves no table behind that was still being opened", async () => {
    const log = await open({ storage: memory() });
    await log.createTopic("users", { cleanupPolicy: "compact" });
    const opening = log.table("users").catch((error: unknown) => error);
    await log.close();
    expect(await opening).toMatchObject({ code: "LOG_CLOSED" });
  });
});
