/**
 * One of several that share a directory: attaches or owns, as it comes, and writes until it is killed; tells on stdout what was acknowledged, and
 * what happened to its owner.
 */
import { writeSync } from "node:fs";

const { entry, directory, name, partitions, pauseMs } = JSON.parse(process.argv[2]);
const { open, utf8, OdradekError } = await import(entry);
const say = (line) => writeSync(1, `${line}\n`);
const sleep = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));
const wrong = (error) => {
  say(`wrong ${JSON.stringify(error instanceof Error ? `${error.stack} ${error.cause ?? ""}` : String(error))}`);
  process.exit(1);
};
process.on("unhandledRejection", wrong);

const onEvent = ({ type }) => {
  if (type === "owner.became" || type === "owner.reached" || type === "owner.lost") say(`${type} ${Date.now()}`);
};
const log = await open(directory, { attach: true, onEvent, topicDefaults: { segmentBytes: 65_536 } }).catch(wrong);
await log.createTopic("plain", { partitions, ifNotExists: true });
await log.createTopic("pairs", { ifNotExists: true });
say("open");

const texts = { key: utf8, value: utf8 };
const plain = log.producer(texts);
let count = 0;
async function sends(partition) {
  for (;;) {
    const value = `${name}:${count++}`.padEnd(20 + (count % 300), "x");
    try {
      const { offset } = await plain.send({ topic: "plain", partition, key: name, value });
      say(`ack plain-${partition} ${offset} ${value}`);
    } catch (error) {
      // An idempotent record is made good without its caller.
      wrong(error);
    }
    await sleep(pauseMs);
  }
}

const paired = log.producer({ ...texts, transactionalId: name });
async function pairs() {
  for (let turn = 0; ; turn += 1) {
    const id = `${name}:${turn}`;
    say(`begin ${id}`);
    try {
      await paired.transaction((tx) =>
        Promise.all([tx.send({ topic: "pairs", key: id, value: "a" }), tx.send({ topic: "pairs", key: id, value: "b" })]),
      );
      say(`committed ${id}`);
    } catch (error) {
      if (!(error instanceof OdradekError) || error.code !== "TRANSACTION_ABORTABLE") wrong(error);
      say(`aborted ${id}`);
    }
    await sleep(pauseMs);
  }
}

for (let partition = 0; partition < partitions; partition += 1) void sends(partition);
void pairs();
