/** Lives until it is killed: opens the directory with the built package, works as its plan says, and tells on stdout what was acknowledged. */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { worksOf } from "./kill-works.mjs";
import { MortalStorage } from "./mortal-storage.mjs";

const plan = JSON.parse(process.argv[2]);
const { open, utf8, nodeStorage, OdradekError } = await import(plan.entry);

// Written at once, to a pipe: what was said before the kill is heard, whatever limits this process has.
const say = (line) => writeSync(1, `${line}\n`);
const sleep = (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs));

function die() {
  if (plan.action === "exit") process.exit(0);
  process.kill(process.pid, plan.action);
}

const storage = new MortalStorage(nodeStorage(plan.directory), plan.at, die, plan.aheadByteLength);

/** What may be refused: anything typed while space or descriptors are short, and calls that come after the close. */
async function bears(error) {
  if (error instanceof OdradekError && (plan.limited || (storage.phase === "close" && /_CLOSED$/.test(error.code)))) {
    if (storage.phase === "work") say(`error ${error.name} ${error.code}`);
    // Failed flushes, where a limit met one, are mended as a person would.
    if (error.code === "PARTITION_FAILED") await reopenAll();
    await sleep(storage.phase === "close" ? 60_000 : 4);
    return;
  }
  say(`wrong ${JSON.stringify(error instanceof Error ? `${error.stack} ${error.cause ?? ""}` : String(error))}`);
  process.exit(1);
}
process.on("unhandledRejection", bears);

let log;
try {
  log = await open({ storage, offsetsFlushMs: 20, topicDefaults: { segmentBytes: plan.segmentBytes, minCleanableDirtyRatio: 0 } });
  for (const [topic, options] of plan.topics) await log.createTopic(topic, { ...options, ifNotExists: true });
} catch (error) {
  if (!plan.limited || !(error instanceof OdradekError)) await bears(error);
  say(`refused ${error.name} ${error.code}`);
  process.kill(process.pid, "SIGKILL");
}
storage.phase = "work";
say("open");

async function reopenAll() {
  for (const [topic, { partitions = 1 }] of plan.topics)
    for (let partition = 0; partition < partitions; partition += 1) await log.reopenPartition({ topic, partition }).catch(() => {});
}

async function close() {
  storage.phase = "close";
  say("closing");
  await log.close();
  say("closed");
}

if (plan.onTerm)
  process.on("SIGTERM", () => {
    setTimeout(() => process.kill(process.pid, "SIGKILL"), plan.killAfterTermMs);
    close().catch(bears);
  });

/** A life that nobody disturbs: what it reads, and that it can write again. */
async function soundLife() {
  const consumer = log.consumer({ key: utf8, value: utf8, autoOffsetReset: "earliest" });
  const partitions = [];
  for (const topic of (await log.listTopics()).filter((name) => !name.startsWith("__"))) {
    for (const { partition } of (await log.describeTopic(topic)).partitions) partitions.push({ topic, partition });
  }
  const read = new Map(
    partitions.map(({ topic, partition }) => [`${topic} ${partition}`, { count: 0, first: -1, last: -1, hash: createHash("md5") }]),
  );
  await consumer.assign(partitions);
  for await (const { topic, partition, offset, key, value } of consumer.records({ until: "end" })) {
    const seen = read.get(`${topic} ${partition}`);
    if (seen.count++ === 0) seen.first = offset;
    seen.last = offset;
    seen.hash.update(`${offset} ${key} ${value}\n`);
  }
  await consumer.close();
  for (const [name, { count, first, last, hash }] of read) say(`read ${name} ${count} ${first} ${last} ${hash.digest("hex")}`);
  const producer = log.producer({ key: utf8, value: utf8 });
  let count = 0;
  for (const { topic, partition } of partitions.filter(({ topic }) => !["left", "right", "keyed", "input"].includes(topic))) {
    const value = `${plan.life}:${count++}:`;
    const { offset } = await producer.send({ topic, partition, key: null, value });
    say(`ack ${topic} ${partition} ${offset} ${value}`);
  }
  say("putting k0 alive");
  const { offset } = await producer.send({ topic: "keyed", key: "k0", value: "alive" });
  say(`put k0 ${offset} alive`);
  say("trying 1");
  await log.consumer({ groupId: "killed" }).commit([{ topic: "sync", partition: 0, nextOffset: 1 }], { durable: true });
  say("commit 1");
  const id = `t2:${plan.life}`;
  say(`begin t2 ${plan.life} commit`);
  await log
    .producer({ key: utf8, value: utf8, transactionalId: "t2" })
    .transaction((tx) => Promise.all(["left", "right", "right"].map((topic) => tx.send({ topic, key: id, value: id }))));
  say(`committed t2 ${plan.life}`);
}

if (plan.sound) {
  await soundLife().then(close).catch(bears);
} else {
  const works = worksOf({ log, utf8, plan, say, bears });
  for (const work of plan.works) Promise.resolve(works[work]()).catch(bears);
  if (plan.closesAfterMs !== null) {
    await sleep(plan.closesAfterMs);
    await close().catch(bears);
    process.kill(process.pid, "SIGKILL");
  }
}
