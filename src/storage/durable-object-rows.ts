/**
 * The tables of a log in a Durable Object, and every statement on them.
 *
 *   odradek_directories (name)
 *   odradek_files       (number, directory, name)      name NULL: removed while it was open
 *   odradek_ranges      (file, position, written_at, bytes)
 *
 * The ranges of a file neither overlap nor, save where zeros stand, leave room between them; the end of the last one is the end of the file.
 */
import { errnoError } from "./errno.ts";

/** As much of a Durable Object's storage as the driver uses: typed here, so that the package needs no types of the platform. */
export interface DurableStorage {
  readonly sql: { exec(statement: string, ...bindings: unknown[]): { toArray(): Record<string, unknown>[] } };
  transactionSync<T>(body: () => T): T;
  sync(): Promise<void>;
}

export interface Range {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** No row is longer: an eighth of the platform's 2 MB, so that a read of a little does not fetch much. */
export const RANGE_BYTES_MAX: number = 256 * 1024;

const TABLES = [
  "CREATE TABLE IF NOT EXISTS odradek_directories (name TEXT PRIMARY KEY) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS odradek_files (number INTEGER PRIMARY KEY AUTOINCREMENT, directory TEXT NOT NULL, name TEXT, UNIQUE (directory, name))",
  "CREATE TABLE IF NOT EXISTS odradek_ranges (file INTEGER NOT NULL, position INTEGER NOT NULL, written_at INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (file, position))",
];

export class RowStore {
  readonly #storage: DurableStorage;
  #isReady = false;

  constructor(storage: DurableStorage) {
    this.#storage = storage;
  }

  // ── Names ──────────────────────────────────────────────────────────────────

  find(directory: string, name: string): number | null {
    const [row] = this.#exec("SELECT number FROM odradek_files WHERE directory = ? AND name = ?", directory, name);
    return row === undefined ? null : (row["number"] as number);
  }

  files(directory: string): string[] {
    return this.#exec("SELECT name FROM odradek_files WHERE directory = ? AND name IS NOT NULL", directory).map(
      (row) => row["name"] as string,
    );
  }

  create(directory: string, name: string): number {
    const [row] = this.#exec("INSERT INTO odradek_files (directory, name) VALUES (?, ?) RETURNING number", directory, name);
    return row?.["number"] as number;
  }

  rename(number: number, name: string): void {
    this.#exec("UPDATE odradek_files SET name = ? WHERE number = ?", name, number);
  }

  unname(number: number): void {
    this.#exec("UPDATE odradek_files SET name = NULL WHERE number = ?", number);
  }

  isNameless(number: number): boolean {
    return this.#exec("SELECT 1 FROM odradek_files WHERE number = ? AND name IS NULL", number).length > 0;
  }

  remove(number: number): void {
    this.#exec("DELETE FROM odradek_ranges WHERE file = ?", number);
    this.#exec("DELETE FROM odradek_files WHERE number = ?", number);
  }

  directories(): string[] {
    return this.#exec("SELECT name FROM odradek_directories").map((row) => row["name"] as string);
  }

  hasDirectory(name: string): boolean {
    return this.#exec("SELECT 1 FROM odradek_directories WHERE name = ?", name).length > 0;
  }

  createDirectory(name: string): void {
    this.#exec("INSERT OR IGNORE INTO odradek_directories (name) VALUES (?)", name);
  }

  removeDirectory(name: string): void {
    this.#exec("DELETE FROM odradek_directories WHERE name = ?", name);
  }

  renameDirectory(from: string, to: string): void {
    this.#exec("UPDATE odradek_directories SET name = ? WHERE name = ?", to, from);
    this.#exec("UPDATE odradek_files SET directory = ? WHERE directory = ?", to, from);
  }

  // ── Bytes ──────────────────────────────────────────────────────────────────

  /** Where the file ends, where its last range begins, and when that was written; null for an empty file. */
  last(file: number): { readonly position: number; readonly byteLength: number; readonly writtenAt: number } | null {
    const [row] = this.#exec(
      "SELECT position, length(bytes) AS byte_length, written_at FROM odradek_ranges WHERE file = ? ORDER BY position DESC LIMIT 1",
      file,
    );
    if (row === undefined) return null;
    return { position: row["position"] as number, byteLength: row["byte_length"] as number, writtenAt: row["written_at"] as number };
  }

  /** The ranges that have bytes between `from` and `end`, in order. */
  between(file: number, from: number, end: number): Range[] {
    const rows = this.#exec(
      "SELECT position, bytes FROM odradek_ranges WHERE file = ? AND position > ? AND position < ? AND position + length(bytes) > ? ORDER BY position",
      file,
      from - RANGE_BYTES_MAX,
      end,
      from,
    );
    return rows.map((row) => ({ position: row["position"] as number, bytes: new Uint8Array(row["bytes"] as ArrayBuffer) }));
  }

  /** In place of a range that begins there, if there is one. */
  put(file: number, position: number, bytes: Uint8Array, writtenAt: number): void {
    this.#exec(
      "INSERT OR REPLACE INTO odradek_ranges (file, position, written_at, bytes) VALUES (?, ?, ?, ?)",
      file,
      position,
      writtenAt,
      bytes,
    );
  }

  /** Removes the ranges that begin at `from` or behind it, before `end`. */
  drop(file: number, from: number, end: number): void {
    this.#exec("DELETE FROM odradek_ranges WHERE file = ? AND position >= ? AND position < ?", file, from, end);
  }

  transaction<T>(body: () => T): T {
    return this.#storage.transactionSync(body);
  }

  #exec(statement: string, ...bindings: unknown[]): Record<string, unknown>[] {
    if (!this.#isReady) this.#prepare();
    try {
      return this.#storage.sql.exec(statement, ...bindings).toArray();
    } catch (error) {
      throw refused(error, statement);
    }
  }

  #prepare(): void {
    try {
      for (const table of TABLES) this.#storage.sql.exec(table);
      // What was removed while it was open, by an object that died before it closed it.
      this.#storage.sql.exec("DELETE FROM odradek_ranges WHERE file IN (SELECT number FROM odradek_files WHERE name IS NULL)");
      this.#storage.sql.exec("DELETE FROM odradek_files WHERE name IS NULL");
    } catch (error) {
      throw refused(error, "CREATE TABLE");
    }
    this.#isReady = true;
  }
}

/** SQLite's refusals as the contract wants them: a full object is routine and has an errno that says so. */
function refused(error: unknown, statement: string): Error {
  const said = error instanceof Error ? error.message : String(error);
  const isFull = /SQLITE_FULL|is full|storage limit|exceeded/i.test(said);
  const wrapped = errnoError(isFull ? "ENOSPC" : "EIO", statement.split(" ", 3).join(" "), "the Durable Object's storage");
  wrapped.message += isFull
    ? `: it is full (10 GB an object on paid plans, 5 GB an account on free ones): shorten retention, or spread topics over several objects; it said: ${said}`
    : `: it said: ${said}`;
  wrapped.cause = error;
  return wrapped;
}
