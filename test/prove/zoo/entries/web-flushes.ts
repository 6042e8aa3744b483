/** Flushes of the drivers for browsers and Durable Objects, each taken away. */
import type { ZooEntry } from "../entry.ts";

const caughtBy = (name: string): ZooEntry["caughtBy"] => ({ test: "test/prove/zoo/web-flushes.test.ts", name });

export const webFlushes: readonly ZooEntry[] = [
  {
    name: "opfs-file-flush-does-nothing",
    tale: "sql.js and its kin over IndexedDB: a write is in the tab's memory, success is reported, and nothing was asked of the browser.",
    file: "src/storage/opfs-file.ts",
    find: "      this.#slot.handle.flush();\n",
    replace: "",
    caughtBy: caughtBy("bytes and names"),
    budgetMs: 15_000,
  },
  {
    name: "opfs-directory-flush-does-nothing",
    tale: "KAFKA-3968 in a browser: the bytes are durable, the book that names them is not.",
    file: "src/storage/opfs.ts",
    find: "      book.flush();\n",
    replace: "",
    caughtBy: caughtBy("bytes and names"),
    budgetMs: 15_000,
  },
  {
    name: "opfs-book-flush-does-nothing",
    tale: "The same one call further down: the book is asked, notes that it is durable, and flushes nothing.",
    file: "src/storage/opfs-book.ts",
    find: "    if (!this.#isDirty) return;\n    this.#handle.flush();\n",
    replace: "    if (!this.#isDirty) return;\n",
    caughtBy: caughtBy("bytes and names"),
    budgetMs: 15_000,
  },
  {
    name: "opfs-book-read-from-the-cache",
    tale: "Recovered is not durable, for a book of names: the tab that died had not flushed its last lines, the next one builds on them, and the power goes.",
    file: "src/storage/opfs-book.ts",
    find: "truncate(this.#end);\n    this.#handle.flush();\n",
    replace: "truncate(this.#end);\n",
    caughtBy: caughtBy("built on it"),
    budgetMs: 15_000,
  },
  {
    name: "opfs-book-rewritten-and-not-flushed",
    tale: "A snapshot that replaces its log before it is on the disk: the book is written anew, the old one is emptied, and the power goes.",
    file: "src/storage/opfs-book.ts",
    find: "    handle.flush();\n    this.#current = into;\n",
    replace: "    this.#current = into;\n",
    caughtBy: caughtBy("built on it"),
    budgetMs: 15_000,
  },
  {
    name: "opfs-older-book-comes-back",
    tale: "LevelDB's CURRENT and its old manifests: what was replaced is emptied, nobody flushes that, and it stands there again to be believed should the newer one be damaged.",
    file: "src/storage/opfs-book.ts",
    find: "    other.truncate(0);\n    other.flush();\n",
    replace: "    other.truncate(0);\n",
    caughtBy: caughtBy("built on it"),
    budgetMs: 15_000,
  },
  {
    name: "durable-object-file-flush-does-nothing",
    tale: "A driver that trusts in output gates alone: they hold back what leaves the object, and an acknowledgement within it leaves nothing.",
    file: "src/storage/durable-object-file.ts",
    find: "    await this.#storage.sync();\n",
    replace: "",
    caughtBy: caughtBy("Durable Object"),
    budgetMs: 15_000,
  },
  {
    name: "durable-object-directory-flush-does-nothing",
    tale: "The same for names: a row of a table as well, and durable when the object's storage says so.",
    file: "src/storage/durable-object.ts",
    find: '    this.#require(directory, "syncDirectory", directory);\n    await this.#storage.sync();\n',
    replace: '    this.#require(directory, "syncDirectory", directory);\n',
    caughtBy: caughtBy("Durable Object"),
    budgetMs: 15_000,
  },
];
