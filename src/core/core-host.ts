/** One running instance of the core, its memory seen as bytes, and its replacement after a trap. */
import { CoreFaultError } from "../base/errors.ts";
import type { CoreExports } from "./core-exports.ts";
import { faultSentence } from "./core-fault.ts";
import { type WasmModule, webAssembly } from "./web-assembly.ts";

/** Slots of the mailbox are 8 bytes wide, so that one may hold a number; the last one is kept for faults. */
const MAILBOX_SLOT_COUNT = 32;
const FAULT_SLOT = MAILBOX_SLOT_COUNT - 1;

/** Views and places of one instance. Everything here dies with the instance: hold a `CoreHost`, not this. */
export class CoreMemory {
  readonly exports: CoreExports;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly stagingAt: number;
  readonly stagingByteLength: number;
  readonly scanTableAt: number;
  readonly writeWindowAt: number;
  readonly scratchAt: number;
  readonly readWindowAt: number;
  readonly windowByteLength: number;
  readonly arenaEnd: number;
  readonly #words: Int32Array<ArrayBuffer>;
  readonly #numbers: Float64Array<ArrayBuffer>;

  constructor(module: WasmModule, extraPageCount: number) {
    const api = webAssembly();
    if (api === undefined) throw new CoreFaultError("CORE_UNAVAILABLE", "this runtime has no WebAssembly any more");
    this.exports = new api.Instance(module, {}).exports as CoreExports;
    // Once, before any view is made: growth would detach it.
    if (extraPageCount > 0) this.exports.memory.grow(extraPageCount);
    const { buffer } = this.exports.memory;
    const mailboxAt = this.exports.initialize();
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.#words = new Int32Array(buffer, mailboxAt, MAILBOX_SLOT_COUNT * 2);
    this.#numbers = new Float64Array(buffer, mailboxAt, MAILBOX_SLOT_COUNT);
    this.stagingAt = this.answer(0);
    this.stagingByteLength = this.answer(1);
    this.scanTableAt = this.answer(2);
    this.writeWindowAt = this.answer(3);
    this.scratchAt = this.answer(4);
    this.readWindowAt = this.answer(5);
    this.windowByteLength = this.answer(6);
    this.arenaEnd = this.answer(7);
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

/** Keeps an instance running. Callers take `memory` anew in every synchronous call. */
export class CoreHost {
  readonly #module: WasmModule;
  readonly #extraPageCount: number;
  #memory: CoreMemory;

  constructor(module: WasmModule, extraPageCount = 0) {
    this.#module = module;
    this.#extraPageCount = extraPageCount;
    this.#memory = new CoreMemory(module, extraPageCount);
  }

  get memory(): CoreMemory {
    return this.#memory;
  }

  /** To be thrown when a call into the core threw `cause`. The instance is dropped and another one stands in its place: nothing durable lived there. */
  faultOf(cause: unknown, what: string): Error {
    if (cause instanceof CoreFaultError) return cause;
    const sentence = faultSentence(this.#memory.fault());
    this.#memory = new CoreMemory(this.#module, this.#extraPageCount);
    return new CoreFaultError(
      "CORE_FAULT",
      `the core gave up in ${what}: ${sentence}. This is a defect in Odradek, not in the data; the core was started anew and nothing durable is lost`,
      { cause },
    );
  }

  /** To be thrown for work that was under way in an instance that has since been replaced. */
  lost(what: string): Error {
    return new CoreFaultError("CORE_FAULT", `${what} was lost when the core was started anew after a fault; the call that met the fault has said why`);
  }
}
