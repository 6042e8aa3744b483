/** A Durable Object's storage in memory: as much of SQLite as the driver's statements ask for, transactions that undo, and room that ends. */
import type { DurableStorage } from "../../src/storage/durable-object-rows.ts";

type Row = Record<string, unknown>;
type Tables = Record<"files" | "directories" | "ranges", Row[]>;

export class FakeDurableStorage implements DurableStorage {
  tables: Tables = { files: [], directories: [], ranges: [] };
  /** Bytes that rows may still take. */
  roomByteLength: number = 1 << 30;
  syncCount = 0;
  #nextNumber = 1;

  readonly sql = {
    exec: (statement: string, ...bindings: unknown[]): { toArray(): Row[] } => {
      const rows = this.#exec(statement, bindings);
      return { toArray: () => rows };
    },
  };

  transactionSync<T>(body: () => T): T {
    const before = structuredClone(this.tables);
    try {
      return body();
    } catch (error) {
      this.tables = before;
      throw error;
    }
  }

  async sync(): Promise<void> {
    this.syncCount++;
  }

  #exec(statement: string, given: unknown[]): Row[] {
    const { tables } = this;
    const [a, b, c, d] = given;
    const is = (start: string): boolean => statement.startsWith(start);
    const matching = (table: keyof Tables, keep: (row: Row) => boolean): Row[] => tables[table].filter(keep);
    const drop = (table: keyof Tables, gone: (row: Row) => boolean): Row[] => {
      tables[table] = tables[table].filter((row) => !gone(row));
      return [];
    };
    const set = (table: keyof Tables, keep: (row: Row) => boolean, change: Row): Row[] => {
      for (const row of matching(table, keep)) Object.assign(row, change);
      return [];
    };
    if (is("CREATE TABLE")) return [];
    if (is("SELECT number FROM odradek_files")) return matching("files", (row) => row["directory"] === a && row["name"] === b);
    if (is("SELECT name FROM odradek_files")) return matching("files", (row) => row["directory"] === a && row["name"] !== null);
    if (is("SELECT 1 FROM odradek_files")) return matching("files", (row) => row["number"] === a && row["name"] === null);
    if (is("SELECT name FROM odradek_directories")) return tables.directories;
    if (is("SELECT 1 FROM odradek_directories")) return matching("directories", (row) => row["name"] === a);
    if (is("INSERT INTO odradek_files")) {
      const row = { number: this.#nextNumber++, directory: a, name: b };
      tables.files.push(row);
      return [row];
    }
    if (is("INSERT OR IGNORE INTO odradek_directories")) {
      drop("directories", (row) => row["name"] === a);
      tables.directories.push({ name: a });
      return [];
    }
    if (is("UPDATE odradek_files SET name = NULL")) return set("files", (row) => row["number"] === a, { name: null });
    if (is("UPDATE odradek_files SET name")) return set("files", (row) => row["number"] === b, { name: a });
    if (is("UPDATE odradek_files SET directory")) return set("files", (row) => row["directory"] === b, { directory: a });
    if (is("UPDATE odradek_directories")) return set("directories", (row) => row["name"] === b, { name: a });
    if (is("DELETE FROM odradek_files WHERE name IS NULL")) return drop("files", (row) => row["name"] === null);
    if (is("DELETE FROM odradek_files")) return drop("files", (row) => row["number"] === a);
    if (is("DELETE FROM odradek_directories")) return drop("directories", (row) => row["name"] === a);
    if (is("DELETE FROM odradek_ranges WHERE file IN")) {
      const gone = new Set(matching("files", (row) => row["name"] === null).map((row) => row["number"]));
      return drop("ranges", (row) => gone.has(row["file"]));
    }
    const position = (row: Row): number => row["position"] as number;
    const byteLength = (row: Row): number => (row["bytes"] as ArrayBuffer).byteLength;
    if (is("DELETE FROM odradek_ranges WHERE file = ? AND position")) {
      return drop("ranges", (row) => row["file"] === a && position(row) >= (b as number) && position(row) < (c as number));
    }
    if (is("DELETE FROM odradek_ranges")) return drop("ranges", (row) => row["file"] === a);
    const ofFile = matching("ranges", (row) => row["file"] === a).sort((left, right) => position(left) - position(right));
    if (is("SELECT position, length(bytes)")) {
      return ofFile.slice(-1).map((row) => ({ ...row, byte_length: byteLength(row) }));
    }
    if (is("SELECT position, bytes")) {
      return ofFile
        .filter((row) => position(row) > (b as number) && position(row) < (c as number) && position(row) + byteLength(row) > (d as number))
        .map((row) => ({ ...row, bytes: (row["bytes"] as ArrayBuffer).slice(0) }));
    }
    if (is("INSERT OR REPLACE INTO odradek_ranges")) {
      const bytes = (d as Uint8Array).slice().buffer;
      if (bytes.byteLength > this.roomByteLength) throw new Error("database or disk is full: SQLITE_FULL");
      this.roomByteLength -= bytes.byteLength;
      drop("ranges", (row) => row["file"] === a && row["position"] === b);
      tables.ranges.push({ file: a, position: b, written_at: c, bytes });
      return [];
    }
    throw new Error(`no such statement: ${statement}`);
  }
}
