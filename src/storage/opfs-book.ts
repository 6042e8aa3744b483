/** The book of names: which numbered file of the origin's private file system stands under which name, as lines that are only ever added. */
import { CorruptionError } from "../base/errors.ts";
import { errnoError } from "./errno.ts";
import { type BookHead, encodeLine, lineEnd, type NameChange, parseLine } from "./opfs-book-line.ts";
import { webError } from "./opfs-errors.ts";
import { OpfsNames } from "./opfs-names.ts";
import type { WebSyncHandle } from "./opfs-web.ts";

/** Two files take turns: the one is written anew, whole and flushed, before the other is emptied. */
export const BOOK_FILES = ["book.0", "book.1"] as const;

/** So many changes more than names, and the book is written anew. */
const SUPERFLUOUS_LINES_MAX = 1024;
/** Longer than any book of ours by far; what is longer is not read into memory. */
const BOOK_BYTES_MAX = 64 << 20;

interface Reading {
  readonly generation: number;
  readonly names: OpfsNames;
  readonly lineCount: number;
  /** Where the last line ends that is believed. */
  readonly end: number;
}

export class OpfsBook {
  readonly names: OpfsNames;
  /** Whether nothing stood here before. */
  readonly isNew: boolean;
  readonly #place: string;
  readonly #handles: readonly [WebSyncHandle, WebSyncHandle];
  #current: 0 | 1;
  #generation: number;
  #end: number;
  #durableEnd: number;
  #lineCount: number;
  #lineCountMax: number;
  #isDirty = false;

  /**
   * Reads what is there; `handles` are of the two files of `BOOK_FILES`, and closed by `close`; `fileCount` is how many numbered files
   * stand beside them. Throws a `CorruptionError` for a book that cannot be believed.
   */
  constructor(place: string, handles: readonly [WebSyncHandle, WebSyncHandle], fileCount: number) {
    this.#place = place;
    this.#handles = handles;
    const [first, second] = handles.map((handle, index) => read(handle, `${place}/${BOOK_FILES[index]}`));
    this.isNew = handles.every((handle) => handle.getSize() === 0);
    // The newer of two whole ones; one that is not whole was being written when the tab died, and then the other one is.
    const chosen = (first?.generation ?? -1) > (second?.generation ?? -1) ? first : second;
    // A first book that was begun and not finished: nothing was named yet. Where there are files, something was.
    if (chosen == null && !this.isNew && fileCount > 0) {
      throw corrupt(`${place}/${BOOK_FILES[0]}`, 0, handles[0].getSize(), "neither of the two books begins as a book does");
    }
    this.#current = chosen == null || chosen === first ? 0 : 1;
    this.names = chosen?.names ?? new OpfsNames();
    this.#generation = chosen?.generation ?? 0;
    this.#end = chosen?.end ?? 0;
    this.#lineCount = chosen?.lineCount ?? 0;
    this.#lineCountMax = this.#lineCount + SUPERFLUOUS_LINES_MAX;
    this.#durableEnd = 0;
    // What stands there may have been written and never flushed by one who died: it is made durable before anything is built on it.
    if (chosen == null) this.#rewrite(0);
    else this.#cut();
    this.#settle();
  }

  /** Writes the change down and makes it. Answers the number of a file that lost its name with it, or null. */
  write(change: NameChange): number | null {
    this.names.check(change);
    if (this.#lineCount >= this.#lineCountMax) this.#tidy();
    this.#append(encodeLine(this.#durableEnd, change));
    this.#isDirty = true;
    return this.names.apply(change);
  }

  /** All changes made are durable when it returns. */
  flush(): void {
    if (!this.#isDirty) return;
    this.#handle.flush();
    this.#mark();
  }

  close(): void {
    for (const handle of this.#handles) handle.close();
  }

  get #handle(): WebSyncHandle {
    return this.#handles[this.#current];
  }

  get #other(): 0 | 1 {
    return this.#current === 0 ? 1 : 0;
  }

  #append(line: Uint8Array): void {
    const file = `${this.#place}/${BOOK_FILES[this.#current]}`;
    try {
      const count = this.#handle.write(line, { at: this.#end });
      if (count !== line.length) throw errnoError("ENOSPC", `${count} of ${line.length} bytes were taken, write of`, file);
    } catch (error) {
      // What is left of the line is not one, and the next line begins where it began.
      this.#handle.truncate(this.#end);
      throw webError(error, "write", file);
    }
    this.#end += line.length;
    this.#lineCount++;
  }

  /** After a flush: by this line the next one who opens the book knows that what stands before it must be there. */
  #mark(): void {
    this.#isDirty = false;
    this.#durableEnd = this.#end;
    try {
      this.#append(encodeLine(this.#durableEnd, ["durable"]));
    } catch {
      // A note, and no promise: where there is no room for it, the next line says the same.
      return;
    }
  }

  #tidy(): void {
    const into = this.#other;
    try {
      this.#rewrite(into);
    } catch {
      // No second book is to be had beside the first: the first serves on, and is tidied another time.
      this.#handles[into].truncate(0);
      this.#lineCountMax = this.#lineCount + SUPERFLUOUS_LINES_MAX;
      return;
    }
    this.#settle();
  }

  /** The book anew, whole and durable, in that file. Where it throws, the current one is what it was. */
  #rewrite(into: 0 | 1): void {
    const changes = [...this.names.changes()];
    const head: BookHead = ["odradek.opfs", 1, this.#generation + 1, changes.length];
    const lines = [head, ...changes].map((said) => encodeLine(0, said));
    const bytes = new Uint8Array(lines.reduce((sum, line) => sum + line.length, 0));
    let at = 0;
    for (const line of lines) {
      bytes.set(line, at);
      at += line.length;
    }
    const handle = this.#handles[into];
    handle.truncate(0);
    if (handle.write(bytes, { at: 0 }) !== bytes.length) throw errnoError("ENOSPC", "write", `${this.#place}/${BOOK_FILES[into]}`);
    // Nothing is built on it before it is durable.
    handle.flush();
    this.#current = into;
    this.#generation++;
    this.#end = bytes.length;
    this.#durableEnd = 0;
    this.#lineCount = lines.length;
    this.#lineCountMax = this.#lineCount + SUPERFLUOUS_LINES_MAX;
  }

  /** The current book ends where its last line does, durably. */
  #cut(): void {
    if (this.#handle.getSize() > this.#end) this.#handle.truncate(this.#end);
    this.#handle.flush();
  }

  /** The current book is durable, and now the only one: an older one must not be believed again should this one be damaged. */
  #settle(): void {
    const other = this.#handles[this.#other];
    this.#mark();
    if (other.getSize() === 0) return;
    other.truncate(0);
    other.flush();
  }
}

/** null: not a whole book, as one is that was being written anew when the tab died. */
function read(handle: WebSyncHandle, file: string): Reading | null {
  const byteLength = handle.getSize();
  if (byteLength > BOOK_BYTES_MAX)
    throw corrupt(file, 0, byteLength, `it has ${byteLength} bytes, and no book is longer than ${BOOK_BYTES_MAX}`);
  const bytes = new Uint8Array(byteLength);
  if (handle.read(bytes, { at: 0 }) !== byteLength) throw corrupt(file, 0, byteLength, "it cannot be read to its end");
  const names = new OpfsNames();
  let head: BookHead | null = null;
  let lineCount = 0;
  let end = 0;
  let durableLength = 0;
  for (let from = 0, next = lineEnd(bytes, 0); next > 0; from = next, next = lineEnd(bytes, from)) {
    const line = parseLine(bytes, from, next);
    if (line === null) {
      // Two lines may have become one, where what was between them was lost: the second says how far the book was durable all the same.
      for (let at = from + 1; at < next; at++) durableLength = Math.max(durableLength, parseLine(bytes, at, next)?.durableLength ?? 0);
      continue;
    }
    durableLength = Math.max(durableLength, line.durableLength);
    // Behind a line that is none the others count for what they say of the durable end alone.
    if (from !== end) continue;
    if (line.said[0] === "odradek.opfs") head = line.said;
    else if (line.said[0] !== "durable") names.apply(line.said);
    lineCount++;
    end = next;
  }
  if (end < durableLength)
    throw corrupt(file, end, durableLength, `no line begins at byte ${end}, and ${durableLength} bytes were flushed`);
  return head === null || lineCount <= head[3] ? null : { generation: head[2], names, lineCount, end };
}

function corrupt(file: string, from: number, end: number, reason: string): CorruptionError {
  return new CorruptionError(
    `the book of names ${file} cannot be believed: ${reason}. Nothing was changed; the numbered files beside it hold the bytes`,
    {
      code: "BOOK_CORRUPT",
      file,
      byteRange: [from, end],
      offsetRange: [0, 0],
      nextReadableOffset: null,
    },
  );
}
