/** One running instance of the core, its memory seen as bytes, and its replacement after a trap. */
import { CoreFaultError } from "../base/errors.ts";
import { reasonOf } from "../base/reason.ts";
import type { CoreExports } from "./core-exports.ts";
import { faultSentence } from "./core-fault.ts";
import { type WasmModule, webAssembly } from "./web-assembly.ts";

/** Slots of the mailbox are 8 bytes wide, so that one may hold a number; the last one is kept for faults. */
const MAILBOX_SLOT_COUNT = 32;
const FAULT_SLOT = MAILBOX_SLOT_COUNT - 1;
const PAGE_BYTE_LENGTH = 65536;

/** Views and places of one instance. Everything here dies with the instance. */
export class CoreMemory {
  readonly exports: CoreExports;
  /** Held by itself: called for every keyed record, and the table of exports is slow to look into. */
  readonly murmur2: CoreExports["murmur2"];
  /** All of linear memory, as it is now: made anew when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  readonly stagingAt: number;
  readonly stagingByteLength: number;
  readonly scanTableAt: number;
  readonly writeWindowAt: number;
  readonly readWindowAt: number;
  readonly windowByteLength: number;
  /** Behind the fixed map. */
  readonly arenaEnd: number;
  readonly codecInputAt: number;
  readonly codecOutputAt: number;
  readonly codecWindowByteLength: number;
  readonly #mailboxAt: number;
  /** The staging window, four bytes at once. */
  readonly stagingWords: Int32Array<ArrayBuffer>;
  #words: Int32Array<ArrayBuffer>;
  #numbers: Float64Array<ArrayBuffer>;

  constructor(module: WasmModule) {
    this.exports = instanceOf(module);
    this.murmur2 = this.exports.murmur2;
    this.#mailboxAt = initialized(this.exports);
    const { buffer } = this.exports.memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.#words = new Int32Array(buffer, this.#mailboxAt, MAILBOX_SLOT_COUNT * 2);
    this.#numbers = new Float64Array(buffer, this.#mailboxAt, MAILBOX_SLOT_COUNT);
    this.stagingAt = this.answer(0);
    this.stagingByteLength = this.answer(1);
    this.scanTableAt = this.answer(2);
    this.writeWindowAt = this.answer(3);
    this.readWindowAt = this.answer(4);
    this.windowByteLength = this.answer(5);
    this.arenaEnd = this.answer(6);
    this.codecInputAt = this.answer(7);
    this.codecOutputAt = this.answer(8);
    this.codecWindowByteLength = this.answer(9);
    this.stagingWords = new Int32Array(buffer, this.stagingAt, this.stagingByteLength >> 2);
  }

  /** Makes memory reach to `end`. Only compaction does: it detaches every view handed out before. */
  reserve(end: number): void {
    const missing = end - this.bytes.length;
    if (missing <= 0) return;
    const pageCount = Math.ceil(missing / PAGE_BYTE_LENGTH);
    try {
      this.exports.memory.grow(pageCount);
    } catch (cause) {
      throw unavailable(`its memory of ${this.bytes.length} bytes could not grow by ${pageCount * PAGE_BYTE_LENGTH}`, cause);
    }
    const { buffer } = this.exports.memory;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.#words = new Int32Array(buffer, this.#mailboxAt, MAILBOX_SLOT_COUNT * 2);
    this.#numbers = new Float64Array(buffer, this.#mailboxAt, MAILBOX_SLOT_COUNT);
  }

  /** The 32-bit answer in a slot of the mailbox. */
  answer(slot: number): number {
    return this.#words[slot * 2] as number;
  }

  /** The number in a slot of the mailbox. */
  answerNumber(slot: number): number {
    return this.#numbers[slot] as number;
  }

  /** Where in linear memory these bytes begin, or -1 when they are in another memory. */
  placeOf(bytes: Uint8Array): number {
    return bytes.buffer === this.bytes.buffer ? bytes.byteOffset : -1;
  }

  fault(): number {
    return this.answer(FAULT_SLOT);
  }
}

function instanceOf(module: WasmModule): CoreExports {
  const api = webAssembly();
  if (api === undefined) throw new CoreFaultError("CORE_UNAVAILABLE", "this runtime has no WebAssembly");
  try {
    return new api.Instance(module, {}).exports as CoreExports;
  } catch (cause) {
    throw unavailable("an instance could not be made", cause);
  }
}

function initialized(exports: CoreExports): number {
  try {
    return exports.initialize();
  } catch (cause) {
    throw unavailable("an instance could not be started", cause);
  }
}

/** The machine had no room for it; the next call tries again. */
function unavailable(what: string, cause: unknown): CoreFaultError {
  const reason = reasonOf(cause);
  return new CoreFaultError("CORE_UNAVAILABLE", `the core cannot work: ${what}: ${reason}. Nothing durable is lost`, { cause });
}

/** What to say of a call into `memory`'s instance that threw `cause`. */
export function coreFault(memory: CoreMemory, cause: unknown, what: string): CoreFaultError {
  const sentence = faultSentence(memory.fault());
  return new CoreFaultError(
    "CORE_FAULT",
    `the core gave up in ${what}: ${sentence}. This is a defect in Odradek, not in the data; another instance takes its place and nothing durable is lost`,
    { cause },
  );
}

/** Keeps an instance running. Callers take `memory` anew in every synchronous call. */
export class CoreHost {
  readonly #module: WasmModule;
  /** null: the last one gave up, and another was not asked for yet. */
  #memory: CoreMemory | null;

  constructor(module: WasmModule) {
    this.#module = module;
    this.#memory = new CoreMemory(module);
  }

  /** Throws a `CoreFaultError` when another instance is needed and cannot be made. */
  get memory(): CoreMemory {
    this.#memory ??= new CoreMemory(this.#module);
    return this.#memory;
  }

  /**
   * To be thrown when a call into the core threw `cause`. The instance is dropped, and the next call makes another: nothing durable
   * lived there.
   */
  faultOf(cause: unknown, what: string): Error {
    if (cause instanceof CoreFaultError) return cause;
    const fault = coreFault(this.memory, cause, what);
    this.#memory = null;
    return fault;
  }

  /** To be thrown for work that was under way in an instance that has since been replaced. */
  lost(what: string): Error {
    return new CoreFaultError(
      "CORE_FAULT",
      `${what} was lost when the core was started anew after a fault; the call that met the fault has said why`,
    );
  }
}
