/** node:sqlite, where this Node has it. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteLog } from "../sqlite-log.mjs";

export const name = "node:sqlite";
export const version = process.versions.sqlite ?? process.versions.node;
export const isDurable = true;

export function store(directory, options) {
  const db = new DatabaseSync(join(directory, "log.db"));
  const transaction = (body) => (records) => {
    db.exec("BEGIN");
    body(records);
    db.exec("COMMIT");
  };
  return sqliteLog({ exec: (sql) => db.exec(sql), prepare: (sql) => db.prepare(sql), transaction, close: () => db.close() }, options);
}
