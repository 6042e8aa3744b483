/** Gets the core running: from the bytes shipped inline, or from bytes or a module that the caller brings. */
import { CoreFaultError, UsageError } from "../base/errors.ts";
import type { Core } from "./core.ts";
import { CORE_BASE64 } from "./core-bytes.ts";
import { WasmCore } from "./wasm-core.ts";
import { isWasmModule, type WasmModule, webAssembly } from "./web-assembly.ts";

export interface LoadCoreOptions {
  /** A `WebAssembly.Module` of `odradek/core.wasm` (recognised by shape, of any realm), or its bytes. Default: the bytes shipped inline. */
  readonly wasm?: object | undefined;
}

/** The inline bytes are compiled once per process; instances share the module. A failed compilation is tried again by the next call. */
let inlineModule: Promise<WasmModule> | undefined;

/**
 * A core of its own for the caller: an instance with its windows.
 * Rejects with `CORE_UNAVAILABLE` where compiling is forbidden, and with `INVALID_ARGUMENT` for a `wasm` that is neither bytes nor a module.
 */
export async function loadCore(options: LoadCoreOptions = {}): Promise<Core> {
  return new WasmCore(await moduleOf(options.wasm));
}

async function moduleOf(wasm: object | undefined): Promise<WasmModule> {
  if (wasm === undefined) {
    inlineModule ??= compile(bytesOfBase64(CORE_BASE64));
    try {
      return await inlineModule;
    } catch (error) {
      inlineModule = undefined;
      throw error;
    }
  }
  if (isWasmModule(wasm)) return wasm;
  if (ArrayBuffer.isView(wasm)) return compile(new Uint8Array(wasm.buffer, wasm.byteOffset, wasm.byteLength));
  if (Object.prototype.toString.call(wasm) === "[object ArrayBuffer]") return compile(new Uint8Array(wasm as ArrayBuffer));
  throw new UsageError(
    "INVALID_ARGUMENT",
    `wasm must be a WebAssembly.Module of odradek/core.wasm, or its bytes; it is ${Object.prototype.toString.call(wasm)}`,
  );
}

async function compile(bytes: Uint8Array): Promise<WasmModule> {
  const api = webAssembly();
  if (api === undefined) {
    throw new CoreFaultError(
      "CORE_UNAVAILABLE",
      "this runtime has no WebAssembly, which Odradek's core is made of: run Node without --jitless, and take the site out of a browser's lockdown mode",
    );
  }
  try {
    return compileAtOnce(api, bytes) ?? (await api.compile(bytes));
  } catch (cause) {
    throw new CoreFaultError(
      "CORE_UNAVAILABLE",
      "WebAssembly could not be compiled here. On a page or worker with a Content-Security-Policy, script-src needs 'wasm-unsafe-eval'. " +
        "Where compiling is forbidden altogether (Cloudflare Workers, Vercel Edge), import odradek/core.wasm as a module and pass it: open({ wasm })",
      { cause },
    );
  }
}

/** The core is small, and compiled function by function as these are called: half a millisecond, when by way of other threads it is several. */
function compileAtOnce(api: NonNullable<ReturnType<typeof webAssembly>>, bytes: Uint8Array): WasmModule | null {
  try {
    return new api.Module(bytes);
  } catch {
    // Whoever asks in earnest is told why.
    return null;
  }
}

/** Node's own way, where there is one: its `atob` goes through the text step by step. */
function bytesOfBase64(base64: string): Uint8Array {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: "base64"): Uint8Array } };
  if (Buffer !== undefined) return Buffer.from(base64, "base64");
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
