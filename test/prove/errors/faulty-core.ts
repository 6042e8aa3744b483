/** A core whose machine runs short: the n-th instance cannot be made, the n-th growth of memory is refused, the n-th call traps. */
import type { Core } from "../../../src/core/core.ts";
import { loadCore } from "../../../src/core/load-core.ts";
import { webAssembly } from "../../../src/core/web-assembly.ts";

export type CoreCall = "instance" | "grow" | "call";

export const CORE_CALLS: readonly CoreCall[] = ["instance", "grow", "call"];

export interface CoreFault {
  readonly call: CoreCall;
  /** From 1. */
  readonly nth: number;
  readonly times: number;
  /** A trap in the end of the call, when its work is done. */
  readonly afterEffect: boolean;
}

export interface PlannedCoreFault {
  readonly fault: CoreFault;
  metCount: number;
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pageCount: number): number };
}

export class FaultyCore {
  readonly #counts: Record<CoreCall, number> = { instance: 0, grow: 0, call: 0 };
  #planned: PlannedCoreFault[] = [];

  /** Works while `run` runs, for every instance made in it: one such at a time, for the interface is the process's own. */
  async during<T>(run: (core: Core) => Promise<T>): Promise<T> {
    const real = webAssembly();
    if (real === undefined) throw new Error("this runtime has no WebAssembly");
    const global = globalThis as { WebAssembly?: unknown };
    const core = this;
    class Instance {
      readonly exports: object;
      constructor(module: object, imports: object) {
        const fails = core.#meets("instance");
        if (fails !== null) throw new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance");
        this.exports = core.#wrapped(new (real as NonNullable<typeof real>).Instance(module, imports).exports as Exports);
      }
    }
    global.WebAssembly = Object.create(real, { Instance: { value: Instance } });
    try {
      return await run(await loadCore());
    } finally {
      global.WebAssembly = real;
    }
  }

  fail(fault: CoreFault): PlannedCoreFault {
    const planned = { fault, metCount: 0 };
    this.#planned.push(planned);
    return planned;
  }

  mend(): void {
    this.#planned = [];
  }

  count(call: CoreCall): number {
    return this.#counts[call];
  }

  #meets(call: CoreCall): CoreFault | null {
    this.#counts[call] += 1;
    const number = this.#counts[call];
    const planned = this.#planned.find(({ fault }) => fault.call === call && number >= fault.nth && number < fault.nth + fault.times);
    if (planned === undefined) return null;
    planned.metCount += 1;
    return planned.fault;
  }

  #wrapped(exports: Exports): object {
    const { memory } = exports;
    const grow = (pageCount: number): number => {
      if (this.#meets("grow") !== null) throw new RangeError("WebAssembly.Memory.grow(): Unable to grow instance memory");
      return memory.grow(pageCount);
    };
    const wrapped: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(exports))
      wrapped[name] = typeof value === "function" ? this.#trapping(value as Call) : value;
    wrapped["memory"] = Object.defineProperty({ grow }, "buffer", { get: () => memory.buffer });
    return wrapped;
  }

  #trapping(call: Call): Call {
    return (...args) => {
      const fault = this.#meets("call");
      if (fault === null) return call(...args);
      if (fault.afterEffect) call(...args);
      throw new Error("unreachable");
    };
  }
}

type Call = (...args: readonly number[]) => number;
