/**
 * A log in a table of SQLite, for both of its doors in Node: WAL, and `synchronous` FULL where it is durable. SQLite blocks, so single
 * records that come in one turn of the loop share a transaction: a batcher of ten lines, as anyone would write it.
 */
export function sqliteLog({ exec, prepare, close, transaction }, { durable }) {
  exec("PRAGMA journal_mode = WAL");
  exec(`PRAGMA synchronous = ${durable ? "FULL" : "OFF"}`);
  exec("CREATE TABLE IF NOT EXISTS log (off INTEGER PRIMARY KEY, k BLOB, v BLOB)");
  const insert = prepare("INSERT INTO log (k, v) VALUES (?, ?)");
  const select = prepare("SELECT k, v FROM log WHERE off = ?");
  const all = prepare("SELECT k, v FROM log ORDER BY off");
  const insertAll = transaction((records) => {
    for (const { key, value } of records) insert.run(key, value);
  });
  let waiting = [];
  const commit = () => {
    const turn = waiting;
    waiting = [];
    insertAll(turn.map(({ record }) => record));
    for (const { resolve } of turn) resolve();
  };
  return {
    appendBatch: (records) => insertAll(records),
    append: (record) =>
      new Promise((resolve) => {
        if (waiting.length === 0) queueMicrotask(() => queueMicrotask(commit));
        waiting.push({ record, resolve });
      }),
    scan(see) {
      for (const { k, v } of all.iterate()) see(k, v);
    },
    read(offset) {
      const { k, v } = select.get(offset + 1);
      return { key: k, value: v };
    },
    close,
  };
}
