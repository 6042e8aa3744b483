/** `odradek.state`: how far a partition is durable, in two slots of which one is always whole. Kafka ignores it. */
import type { StorageDriver, StorageFile } from "../../api/storage-driver.ts";
import { OdradekError, StorageError } from "../../base/errors.ts";
import { uuidFromText } from "../../base/uuid-text.ts";
import type { Core } from "../../core/core.ts";
import type { LogContext } from "../context/log-context.ts";
import { readBytes, readInto, writeBytes } from "../files/file-bytes.ts";
import { inDirectory, openIfPresent } from "../files/replace-file.ts";
import { setAside } from "../files/set-aside.ts";
import {
  blockAreaAt,
  decodeBlocks,
  decodeSlot,
  encodeBlocks,
  encodeSlot,
  type PartitionStateFacts,
  SLOT_BYTE_LENGTH,
  SLOT_COUNT,
  STATE_BYTE_LENGTH,
  type StateSlot,
  slotAt,
} from "./state-slot.ts";

export type { ActiveSegmentFacts, PartitionStateFacts } from "./state-slot.ts";

export const STATE_FILE = "odradek.state";

export interface PartitionIdentity {
  readonly topic: string;
  readonly partition: number;
  /** "" where none is known: then it is not compared. */
  readonly topicId: string;
  /** Nothing is made or written: the facts are read, if there are any. */
  readonly readOnly?: boolean;
  /** The directory was closed in order, so that what is read here is known to be durable. */
  readonly cleanShutdown?: boolean;
}

/**
 * Until a flush has made one slot durable the other is not touched: a crash that tears the slot being written leaves the
 * one before. `write` may therefore write one slot many times over; `writeDurably` goes on to the other.
 */
export class PartitionState {
  /** What could not be believed, for a person; null when all is well. Facts may be there nevertheless, from the other slot. */
  readonly problem: string | null;
  /** The file belongs to another partition or topic: files were mixed up, and nothing here may be served or overwritten. */
  readonly foreign: boolean;
  readonly #identity: PartitionIdentity;
  readonly #storage: StorageDriver;
  readonly #directory: string;
  readonly #core: Core;
  readonly #topicId: Uint8Array;
  readonly #partition: number;
  readonly #file: StorageFile | null;
  #facts: PartitionStateFacts | null;
  #generation: number;
  /** The slot that `write` may tear. */
  #openSlot: number;
  #directoryUnflushed: boolean;
  #failure: unknown = null;
  #isFlushing = false;
  /** Written during a flush: the slot in flight must stay as it is, and the other is what a crash falls back on. */
  #waiting: PartitionStateFacts | null = null;
  #turn: Promise<void> = Promise.resolve();

  private constructor(setup: Setup) {
    this.problem = setup.problem;
    this.foreign = setup.foreign;
    this.#identity = setup.identity;
    this.#storage = setup.storage;
    this.#directory = setup.directory;
    this.#core = setup.core;
    this.#topicId = setup.topicId;
    this.#partition = setup.partition;
    this.#file = setup.file;
    this.#facts = setup.newest?.facts ?? null;
    this.#generation = setup.generation;
    this.#openSlot = setup.openSlot;
    this.#directoryUnflushed = setup.directoryUnflushed;
  }

  /**
   * Reads the file, and makes an empty one where there is none; one of which no slot can be believed is set aside first.
   * After an unclean end what was read is written again and flushed, so that it stays what it is: a flush that failed may have left it in
   * the cache alone, as clean, and the next one would pass it over.
   */
  static async load(context: LogContext, directory: string, identity: PartitionIdentity): Promise<PartitionState> {
    const { storage, core } = context;
    const readOnly = identity.readOnly === true || context.readOnly;
    const name = inDirectory(directory, STATE_FILE);
    let file = await openIfPresent(storage, name, { readOnly });
    try {
      const found = file === null ? NOTHING_FOUND : readSlots(core, file, name, identity);
      if (file !== null && found.newest === null && found.problem !== null && !found.foreign && !readOnly) {
        await file.close();
        file = null;
        await setAside(storage, directory, STATE_FILE);
      }
      if (file === null && !readOnly) file = await storage.open(name, { create: "if-missing" });
      const isKnown = found.newest !== null;
      const setup = { identity, storage, directory, core, file, partition: identity.partition, topicId: topicIdBytes(identity.topicId) };
      // Room for both slots from the start: what notes a full disk must not need room.
      if (file !== null && !readOnly && file.byteLength() < STATE_BYTE_LENGTH) {
        const byteLength = file.byteLength();
        writeBytes(file, new Uint8Array(STATE_BYTE_LENGTH - byteLength), byteLength);
      }
      if (file !== null && found.newest !== null && !readOnly && identity.cleanShutdown !== true) {
        writeAgain(file, found.newest, found.openSlot);
        await Promise.all([file.sync(), storage.syncDirectory(directory)]);
      }
      return new PartitionState({ ...setup, ...found, directoryUnflushed: !isKnown });
    } catch (error) {
      await file?.close();
      throw error;
    }
  }

  /** What was written or read last; null when there was nothing to believe. */
  facts(): PartitionStateFacts | null {
    return this.#facts;
  }

  /** Looks again at what another process writes here; answers whether it was written since. For a log that is only read. */
  reread(): boolean {
    if (this.#file === null) return false;
    const { newest, generation } = readSlots(this.#core, this.#file, this.#directory, this.#identity);
    // Torn under our eyes, both of them: the next look finds one whole.
    if (newest === null || generation === this.#generation) return false;
    this.#generation = generation;
    this.#facts = newest.facts;
    return true;
  }

  /**
   * Hands the facts to the system, without a flush; during one, when it ends. They may be lost in a crash, never come out
   * different. After a failed flush it does nothing.
   */
  write(facts: PartitionStateFacts): void {
    const file = this.#writable();
    if (this.#failure !== null) return;
    if (this.#isFlushing) this.#waiting = facts;
    else this.#put(file, facts);
    this.#facts = facts;
  }

  /** Durable when it resolves, these facts or later ones. Sticky when the flush fails: it is not tried again on the same pages. */
  async writeDurably(facts: PartitionStateFacts): Promise<void> {
    const file = this.#writable();
    this.#facts = facts;
    const run = this.#turn.then(async () => {
      if (this.#failure !== null) throw this.#failure;
      this.#put(file, this.#latest());
      this.#isFlushing = true;
      try {
        await file.sync();
        if (this.#directoryUnflushed) await this.#storage.syncDirectory(this.#directory);
      } catch (error) {
        this.#failure = error;
        throw error;
      } finally {
        this.#isFlushing = false;
      }
      this.#directoryUnflushed = false;
      this.#openSlot = (this.#openSlot + 1) % SLOT_COUNT;
      // The other slot gets what is durable as well, without a flush: a bit that flips in one of them later takes nothing back. After a
      // clean close the slot before says as much, and only has more looked at.
      const last = this.#waiting ?? this.#latest();
      if (last.activeSegment === null) this.#copy(file, last);
      this.#waiting = null;
    });
    this.#turn = run.catch(() => {});
    await run;
  }

  /** Of a state that something was written to. */
  #latest(): PartitionStateFacts {
    return this.#facts as PartitionStateFacts;
  }

  /** Waits for a flush in flight, then closes the file. */
  async close(): Promise<void> {
    await this.#turn;
    await this.#file?.close();
  }

  /** A full or failing disk costs the copy, and nothing else: one slot is whole. */
  #copy(file: StorageFile, facts: PartitionStateFacts): void {
    try {
      this.#put(file, facts);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
    }
  }

  #put(file: StorageFile, facts: PartitionStateFacts): void {
    const generation = this.#generation + 1;
    const blocks = encodeBlocks(facts);
    if (blocks.byteLength > 0) writeBytes(file, blocks, blockAreaAt(this.#openSlot));
    writeBytes(
      file,
      encodeSlot({ generation, facts, topicId: this.#topicId, partition: this.#partition }, blocks, this.#core),
      slotAt(this.#openSlot),
    );
    this.#generation = generation;
  }

  #writable(): StorageFile {
    if (this.#file === null || this.foreign) {
      const why = this.foreign ? "it belongs to another partition" : "the partition was opened to be read";
      throw new OdradekError("READ_ONLY", `${inDirectory(this.#directory, STATE_FILE)} cannot be written: ${why}`);
    }
    return this.#file;
  }
}

/** The newest slot, in its place: not the open one. A crash in the middle leaves what was there, or the same. */
function writeAgain(file: StorageFile, { blockByteLength }: StateSlot, openSlot: number): void {
  const slot = (openSlot + SLOT_COUNT - 1) % SLOT_COUNT;
  writeBytes(file, readBytes(file, blockAreaAt(slot), blockByteLength), blockAreaAt(slot));
  writeBytes(file, readBytes(file, slotAt(slot), SLOT_BYTE_LENGTH), slotAt(slot));
}

interface Found {
  readonly newest: StateSlot | null;
  readonly generation: number;
  readonly openSlot: number;
  readonly problem: string | null;
  readonly foreign: boolean;
}

interface Setup extends Found {
  readonly identity: PartitionIdentity;
  readonly storage: StorageDriver;
  readonly directory: string;
  readonly core: Core;
  readonly file: StorageFile | null;
  readonly directoryUnflushed: boolean;
  readonly partition: number;
  readonly topicId: Uint8Array;
}

const NOTHING_FOUND: Found = { newest: null, generation: 0, openSlot: 0, problem: null, foreign: false };

function readSlots(core: Core, file: StorageFile, name: string, identity: PartitionIdentity): Found {
  const problems: string[] = [];
  let newest: StateSlot | null = null;
  let newestAt = -1;
  for (let index = 0; index < SLOT_COUNT; index++) {
    const bytes = new Uint8Array(SLOT_BYTE_LENGTH);
    readInto(file, bytes, slotAt(index));
    const slot = decodeSlot(bytes, core);
    if (typeof slot === "string") problems.push(`slot ${index}: ${slot}`);
    else if (slot !== null && (newest === null || slot.generation > newest.generation)) {
      newest = slot;
      newestAt = index;
    }
  }
  if (newest === null) return { ...NOTHING_FOUND, problem: told(name, problems) };
  const foreign = newest.partition !== identity.partition || !sameTopic(newest.topicId, topicIdBytes(identity.topicId));
  if (foreign) {
    const problem = told(name, [
      `it belongs to partition ${newest.partition} of another topic or directory, not to ${identity.topic}-${identity.partition}`,
    ]);
    return { ...NOTHING_FOUND, problem, foreign };
  }
  const blocks = readBytes(file, blockAreaAt(newestAt), newest.blockByteLength);
  const facts = decodeBlocks(newest, blocks, core);
  // The facts themselves are whole; without its checksums the end is merely not known to be clean.
  if (facts === null) problems.push(`slot ${newestAt}: the block checksums of the active segment are not those that were written`);
  return {
    newest: facts === null ? { ...newest, facts: { ...newest.facts, cleanlyClosed: false, activeSegment: null } } : { ...newest, facts },
    generation: newest.generation,
    openSlot: (newestAt + 1) % SLOT_COUNT,
    problem: told(name, problems),
    foreign,
  };
}

function told(name: string, problems: readonly string[]): string | null {
  return problems.length === 0 ? null : `${name}: ${problems.join("; ")}`;
}

function topicIdBytes(topicId: string): Uint8Array {
  return uuidFromText(topicId) ?? new Uint8Array(16);
}

function sameTopic(left: Uint8Array, right: Uint8Array): boolean {
  const isUnknown = (id: Uint8Array): boolean => id.every((byte) => byte === 0);
  return isUnknown(left) || isUnknown(right) || left.every((byte, index) => byte === right[index]);
}
