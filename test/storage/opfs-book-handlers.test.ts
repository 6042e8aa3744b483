/** What the book of names does where the browser refuses a call, or where what stands in its two files is none of ours. */
import { describe, expect, it } from "vitest";
import { OpfsBook } from "../../src/storage/opfs-book.ts";
import type { WebSyncHandle } from "../../src/storage/opfs-web.ts";
import { FakeFile } from "./fake-opfs.ts";

interface Opened {
  readonly book: OpfsBook;
  readonly handles: readonly [WebSyncHandle, WebSyncHandle];
}

function twoFiles(): [FakeFile, FakeFile] {
  const room = { left: 1 << 30 };
  return [new FakeFile("book.0", room), new FakeFile("book.1", room)];
}

const handlesOf = async (files: readonly [FakeFile, FakeFile]): Promise<[WebSyncHandle, WebSyncHandle]> => [
  await files[0].createSyncAccessHandle(),
  await files[1].createSyncAccessHandle(),
];

async function open(files: readonly [FakeFile, FakeFile], fileCount = 1): Promise<Opened> {
  const handles = await handlesOf(files);
  return { book: new OpfsBook("log", handles, fileCount), handles };
}

const told = (book: OpfsBook): string => JSON.stringify([...book.names.changes()].map(String).sort());

/** Changes until the book was written anew, or once more than would have it tried. */
function fill(book: OpfsBook, count = 1100): void {
  for (let i = 1; i <= count; i++) book.write(["name", "p-0/a", i]);
}

describe("a book that is written anew", () => {
  // The new book was believed before its flush had been answered: where that was refused, the old one was emptied, and a loss of power
  // took names that had been durable. Now it takes the old one's place only when it is durable itself.
  it("takes nobody's place before it is durable", async () => {
    for (const call of ["write", "flush", "short write"] as const) {
      const files = twoFiles();
      const { book, handles } = await open(files);
      book.write(["mkdir", "p-0"]);
      book.write(["name", "p-0/kept", 7]);
      book.flush();
      const refused = handles[1] as { -readonly [key in keyof WebSyncHandle]: WebSyncHandle[key] };
      const { write, flush } = refused;
      if (call === "short write") refused.write = (bytes, options) => write.call(refused, bytes.subarray(0, bytes.length >> 1), options);
      else {
        refused[call] = () => {
          throw new DOMException("no room", "QuotaExceededError");
        };
      }
      fill(book);
      expect([files[0].bytes.length > 10_000, files[1].bytes.length], call).toEqual([true, 0]);
      // The power goes: what was flushed is there.
      const left = twoFiles();
      for (const [index, file] of left.entries()) file.bytes = (files[index] as FakeFile).flushed.slice();
      expect(told((await open(left)).book), call).toContain("p-0/kept");
      // And it is tried again when as many changes have come once more.
      Object.assign(refused, { write, flush });
      fill(book);
      expect([files[0].bytes.length, files[1].bytes.length > 0], call).toEqual([0, true]);
      const before = told(book);
      book.close();
      const again = await open(files);
      expect(told(again.book), call).toBe(before);
      // From the second file back into the first, too.
      again.book.write(["mkdir", "p-1"]);
      fill(again.book);
      expect([files[0].bytes.length > 0, files[1].bytes.length], call).toEqual([true, 0]);
    }
  });

  it("is refused in words where there is no room for the very first", async () => {
    const handles = await handlesOf(twoFiles());
    handles[0].write = (bytes) => bytes.length - 1;
    expect(() => new OpfsBook("log", handles, 0)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
  });
});

describe("the note behind a flush", () => {
  it("may find no room: the flush holds all the same, and the next line says it", async () => {
    const files = twoFiles();
    const { book, handles } = await open(files);
    book.write(["mkdir", "p-0"]);
    const { write } = handles[0];
    handles[0].write = () => {
      throw new DOMException("no room", "QuotaExceededError");
    };
    book.flush();
    const { length } = files[0].flushed;
    expect(files[0].bytes.length).toBe(length);
    handles[0].write = write;
    book.write(["mkdir", "p-1"]);
    book.close();
    // A flushed byte that is another is damage, which the line behind it tells.
    files[0].bytes[length - 2] = (files[0].bytes[length - 2] as number) ^ 1;
    await expect(open(files)).rejects.toMatchObject({ code: "BOOK_CORRUPT" });
  });
});

describe("what stands where the books should be", () => {
  it("and begins as none does is a first book that was not finished, or damage where there are files", async () => {
    const begun = twoFiles();
    begun[0].bytes = new TextEncoder().encode("89ab");
    await expect(open(begun, 3)).rejects.toMatchObject({ code: "BOOK_CORRUPT", message: expect.stringContaining("neither") as string });
    for (const file of begun) file.isOpen = false;
    const { book } = await open(begun, 0);
    expect([book.isNew, told(book)]).toEqual([false, "[]"]);
  });

  it("and is longer than any book, or cannot be read to its end, is not believed", async () => {
    const long = await handlesOf(twoFiles());
    long[1].getSize = () => 2 ** 40;
    expect(() => new OpfsBook("log", long, 0)).toThrow(
      expect.objectContaining({
        code: "BOOK_CORRUPT",
        file: "log/book.1",
        message: expect.stringContaining("no book is longer") as string,
      }),
    );
    const short = await handlesOf(twoFiles());
    short[0].getSize = () => 10;
    expect(() => new OpfsBook("log", short, 0)).toThrow(
      expect.objectContaining({ code: "BOOK_CORRUPT", message: expect.stringContaining("cannot be read to its end") as string }),
    );
  });
});
