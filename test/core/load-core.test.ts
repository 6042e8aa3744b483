import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { CoreFaultError, UsageError } from "../../src/base/errors.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { webAssembly } from "../../src/core/web-assembly.ts";
import { BUILDS, binaryOf, coreOf, exportsOf } from "./builds.ts";

const NINE = new TextEncoder().encode("123456789");
const CHECK = 0xe3069283;

describe("loading the core", () => {
  it("works from the inline bytes, from bytes, and from a module of this realm or another", async () => {
    const bytes = binaryOf("release");
    const foreign = (await runInNewContext("WebAssembly.compile(bytes)", { bytes })) as object;
    expect(foreign instanceof (globalThis as unknown as { WebAssembly: { Module: new () => object } }).WebAssembly.Module).toBe(false);
    for (const wasm of [undefined, bytes, bytes.buffer, await webAssembly()!.compile(bytes), foreign]) {
      expect((await loadCore({ wasm })).crc32c(NINE)).toBe(CHECK);
    }
  });

  it("refuses what is neither bytes nor a module", async () => {
    await expect(loadCore({ wasm: {} })).rejects.toThrowError(UsageError);
  });

  it("says what to do where compiling is forbidden, and is well again when it is allowed", async () => {
    const api = webAssembly() as { compile: unknown; Module: unknown };
    const { compile, Module } = api;
    api.Module = function refused() {
      throw new Error("Wasm code generation disallowed by embedder");
    };
    api.compile = () => Promise.reject(new Error("Wasm code generation disallowed by embedder"));
    try {
      const refused = loadCore({ wasm: binaryOf("release") });
      await expect(refused).rejects.toMatchObject({ name: "CoreFaultError", code: "CORE_UNAVAILABLE" });
      await expect(refused).rejects.toThrowError(/wasm-unsafe-eval.*open\(\{ wasm \}\)/);
    } finally {
      api.compile = compile;
      api.Module = Module;
    }
    expect((await loadCore({ wasm: binaryOf("release") })).crc32c(NINE)).toBe(CHECK);
  });
});

describe.each(BUILDS)("a fault of the core (%s)", (build) => {
  it("is a sentence, not a trap, and the next call works", async () => {
    const core = await coreOf(build);
    const fault = (): unknown => core.scan(core.readWindowByteLength + 1, { verifyChecksums: true });
    expect(fault).toThrowError(CoreFaultError);
    expect(fault).toThrowError(/the core gave up in a scan of \d+ bytes: .*outside its memory.*defect in Odradek/);
    expect(fault).not.toThrowError(/unreachable/);
    expect(core.crc32c(NINE)).toBe(CHECK);
    core.readWindow().set(new Uint8Array(100));
    expect(core.scan(100, { verifyChecksums: true }).stop).toBe("zero");
  });

  it("takes the batch being written with it, and says so", async () => {
    const core = await coreOf(build);
    const options = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
    core.writer.begin(options);
    core.writer.append(null, NINE, null, 1);
    expect(() => core.scan(-1, { verifyChecksums: false })).toThrowError(CoreFaultError);
    expect(() => core.writer.finish()).toThrowError(/the batch being written was lost/);
    core.writer.begin(options);
    core.writer.append(null, NINE, null, 1);
    expect(core.validate(core.writer.finish()).problem).toBeNull();
  });

  it("meets every range outside memory before reading it", async () => {
    for (const [at, byteLength] of [
      [2 ** 31, 1],
      [-1, 1],
      [0, -1],
      [65536, 2 ** 31 - 1],
    ] as const) {
      const raw = await exportsOf(build);
      expect(() => raw.crc32c(at, byteLength, 0)).toThrowError(/unreachable/);
    }
  });
});

describe("the binary", () => {
  it("is smaller than 32 KiB, imports nothing, and asserts in release", async () => {
    const bytes = binaryOf("release");
    console.log(`core.release.wasm ${bytes.length} bytes, core.debug.wasm ${binaryOf("debug").length} bytes`);
    expect(bytes.length).toBeLessThan(32 * 1024);
    const module = await webAssembly()!.compile(bytes);
    const { Module } = (globalThis as unknown as { WebAssembly: { Module: { imports(module: object): unknown[] } } }).WebAssembly;
    expect(Module.imports(module)).toEqual([]);
  });
});
