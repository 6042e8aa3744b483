/** The little of the WebAssembly interface that the core needs, typed here so that no DOM library is asked of anyone. */

export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Adds pages of 64 KiB and detaches every view made before. */
  grow(pageCount: number): number;
}

export interface WasmInstance {
  readonly exports: object;
}

interface WebAssemblyApi {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  /** Compiles at once, or throws: where that is forbidden, and on pages that allow it for a few bytes alone. */
  readonly Module: new (
    bytes: Uint8Array,
  ) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => WasmInstance;
}

/** Undefined where the runtime has no WebAssembly at all. */
export function webAssembly(): WebAssemblyApi | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
}

/** By its tag: a module made in another realm (Vercel's edge, a frame) is no `instanceof` of ours. */
export function isWasmModule(candidate: object): candidate is WasmModule {
  return Object.prototype.toString.call(candidate) === "[object WebAssembly.Module]";
}
