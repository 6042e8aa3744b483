/** A machine that has no room for the core, or a core that traps: the call that met it is told in our words, and the next one has another instance. */
import lz4js from "lz4js";
import { describe, expect, it } from "vitest";
import { CoreFaultError } from "../../src/base/errors.ts";
import type { Core } from "../../src/core/core.ts";
import { faultSentence } from "../../src/core/core-fault.ts";
import { loadCore } from "../../src/core/load-core.ts";
import { noise } from "../compression/contents.ts";
import { type CoreCall, FaultyCore } from "../prove/errors/faulty-core.ts";
import { binaryOf } from "./builds.ts";

const BYTES = new TextEncoder().encode("123456789");

async function batchBytes(): Promise<Uint8Array> {
  const { writer } = await loadCore();
  writer.begin({ producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false });
  writer.append(null, BYTES, null, 5);
  return writer.finish().slice();
}

async function refusedIn(
  call: CoreCall,
  nth: number,
  times: number,
  run: (core: Core) => unknown,
): Promise<{ errors: unknown[]; after: number }> {
  const faulty = new FaultyCore();
  const errors: unknown[] = [];
  const after = await faulty.during(async (core) => {
    faulty.fail({ call: "call", nth: faulty.count("call") + 1, times: call === "call" ? times : 1, afterEffect: false });
    if (call !== "call") faulty.fail({ call, nth: faulty.count(call) + nth, times, afterEffect: false });
    for (let tries = 0; tries < 3; tries += 1) {
      try {
        run(core);
      } catch (error) {
        errors.push(error);
      }
    }
    faulty.mend();
    return core.crc32c(BYTES);
  });
  return { errors, after };
}

describe("a core that gives up", () => {
  // The instance that takes the place of a trapped one could not be made, for want of memory: a bare RangeError went up through
  // the log, and the trapped instance stayed in use.
  it("is started anew by the next call, and says so when the machine has no room for it", async () => {
    for (const times of [1, 2]) {
      const { errors, after } = await refusedIn("instance", 1, times, (core) => core.crc32c(BYTES));
      expect(errors.length).toBe(1 + times);
      for (const error of errors) expect(error).toBeInstanceOf(CoreFaultError);
      expect(errors.map((error) => (error as CoreFaultError).code)).toEqual(["CORE_FAULT", ...Array(times).fill("CORE_UNAVAILABLE")]);
      expect(after).toBe(0xe3069283);
    }
  });

  it("also when another one traps while it is started", async () => {
    const { errors, after } = await refusedIn("call", 1, 2, (core) => core.crc32c(BYTES));
    expect(errors.map((error) => (error as CoreFaultError).code)).toEqual(["CORE_FAULT", "CORE_UNAVAILABLE"]);
    expect(after).toBe(0xe3069283);
  });

  it("says so whichever call of a batch's writing it is, and the next batch is whole", async () => {
    const options = { producerId: -1n, producerEpoch: -1, baseSequence: -1, transactional: false };
    const acts: readonly ((core: Core) => unknown)[] = [
      ({ writer }) => writer.begin(options),
      ({ writer }) => writer.append(null, BYTES, null, 5),
      ({ writer }) => writer.append(null, BYTES, [[BYTES, null]], 5),
      ({ writer }) => writer.recordCount,
      ({ writer }) => writer.byteLength,
      ({ writer }) => writer.finish(),
    ];
    for (const failing of acts) {
      const faulty = new FaultyCore();
      await faulty.during(async (core) => {
        core.writer.begin(options);
        faulty.fail({ call: "call", nth: faulty.count("call") + 1, times: 1, afterEffect: false });
        expect(() => failing(core)).toThrow(CoreFaultError);
        core.writer.begin(options);
        core.writer.append(null, BYTES, null, 5);
        expect(core.validate(core.writer.finish().slice()).recordCount).toBe(1);
      });
    }
  });

  // open() told a program of a bare RuntimeError, "unreachable": the first batch was begun before anybody would have said what had trapped.
  it("says so while it is being started", async () => {
    for (let nth = 1, isMet = true; isMet; nth += 1) {
      const faulty = new FaultyCore();
      await faulty.during(async () => {
        const planned = faulty.fail({ call: "call", nth: faulty.count("call") + nth, times: 1, afterEffect: false });
        const core = await loadCore().catch((error: unknown) => error);
        isMet = planned.metCount > 0;
        if (isMet) expect(core).toBeInstanceOf(CoreFaultError);
        else expect(nth).toBeGreaterThan(2);
      });
    }
  });

  it("does not begin a pass of compaction when its memory cannot grow, or its instance cannot be made", async () => {
    for (const call of ["grow", "instance"] as const) {
      const faulty = new FaultyCore();
      await faulty.during(async (core) => {
        const make = (): unknown => core.compactor({ dedupeBufferByteLength: 1 << 20, hashSecret: new Uint8Array(16) });
        faulty.fail({ call, nth: faulty.count(call) + 1, times: 1, afterEffect: false });
        expect(make).toThrow(CoreFaultError);
        expect(make).not.toThrow();
      });
    }
  });

  it("says so whichever question it was asked, and answers the next", async () => {
    const entries = new Uint8Array(64);
    const batch = await batchBytes();
    const questions: readonly ((core: Core) => unknown)[] = [
      (core) => core.appendOffsetEntry(entries, 0, 1, 100),
      (core) => core.appendTimeEntry(entries, 0, 1, 1),
      (core) => core.findRecord(batch, { offset: 0 }),
      (core) => core.lz4.decompress(core.lz4.compress(BYTES), 100),
    ];
    for (const ask of questions) {
      const faulty = new FaultyCore();
      await faulty.during(async (core) => {
        const before = faulty.count("call");
        const answer = ask(core);
        const planned = faulty.fail({ call: "call", nth: 2 * faulty.count("call") - before, times: 1, afterEffect: false });
        expect(() => ask(core)).toThrow(expect.objectContaining({ code: "CORE_FAULT" }));
        expect(planned.metCount).toBe(1);
        expect(ask(core)).toEqual(answer);
      });
    }
  });

  it("says that there is no room for an instance where a batch needs one of its own", async () => {
    const incompressible = noise(3 << 20, 1);
    const large = new Uint8Array(lz4js.compress(incompressible));
    const faulty = new FaultyCore();
    await faulty.during(async (core) => {
      faulty.fail({ call: "instance", nth: faulty.count("instance") + 1, times: 1, afterEffect: false });
      expect(() => core.lz4.decompress(large, incompressible.length)).toThrow(expect.objectContaining({ code: "CORE_UNAVAILABLE" }));
      expect(Buffer.compare(core.lz4.decompress(large, incompressible.length), incompressible)).toBe(0);
    });
  });

  it("is told in words whatever number it leaves, one of a later core too", () => {
    expect(faultSentence(0)).toContain("without saying why");
    expect(faultSentence(11)).toBe("a batch was written out of turn");
    for (const fault of [12, -1]) expect(faultSentence(fault)).toBe(`it left the unknown number ${fault}`);
  });

  it("is never asked again within a pass of compaction that it gave up in", async () => {
    const faulty = new FaultyCore();
    await faulty.during(async (core) => {
      const compactor = core.compactor({ dedupeBufferByteLength: 1 << 20, hashSecret: new Uint8Array(16) });
      expect(compactor.crc32c(BYTES)).toBe(0xe3069283);
      faulty.fail({ call: "call", nth: faulty.count("call") + 1, times: 1, afterEffect: false });
      expect(() => compactor.crc32c(BYTES)).toThrow(CoreFaultError);
      expect(() => compactor.crc32c(BYTES)).toThrow("having given up before");
      expect(core.crc32c(BYTES)).toBe(0xe3069283);
    });
  });
});

describe("a runtime without WebAssembly", () => {
  it("is told in our words, when the core is compiled and when it is made", async () => {
    const core = await loadCore();
    const global = globalThis as { WebAssembly?: unknown };
    const real = global.WebAssembly;
    global.WebAssembly = undefined;
    try {
      await expect(loadCore()).rejects.toMatchObject({ code: "CORE_UNAVAILABLE", message: expect.stringContaining("no WebAssembly") });
      // Of bytes that nobody has compiled before: what to do about it is said, too.
      const compiled = loadCore({ wasm: binaryOf("release") });
      await expect(compiled).rejects.toMatchObject({ code: "CORE_UNAVAILABLE", message: expect.stringContaining("without --jitless") });
      expect(() => core.compactor({ dedupeBufferByteLength: 1 << 20, hashSecret: new Uint8Array(16) })).toThrow(
        expect.objectContaining({ code: "CORE_UNAVAILABLE" }),
      );
    } finally {
      global.WebAssembly = real;
    }
  });
});
