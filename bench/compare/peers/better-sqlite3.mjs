/** better-sqlite3. */
import { join } from "node:path";
import Database from "better-sqlite3";
import { sqliteLog } from "../sqlite-log.mjs";

import { versionOf } from "../version-of.mjs";

export const name = "better-sqlite3";
export const version = versionOf("better-sqlite3");
export const isDurable = true;

export function store(directory, options) {
  const db = new Database(join(directory, "log.db"));
  return sqliteLog(
    {
      exec: (sql) => db.exec(sql),
      prepare: (sql) => db.prepare(sql),
      transaction: (body) => db.transaction(body),
      close: () => db.close(),
    },
    options,
  );
}
