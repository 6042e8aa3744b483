/**
 * How long does one durable send take, and how many do sixty-four senders get through, beside the raw loop of the same appends with as
 * many flushes in flight? The raw files grow; ours are long ahead of their batches (decisions/0013), so one send is raced against a file that
 * is long as well, without a budget. Lanes of what nobody can leave out: encoding by the core, a write, a flush, into files made long first;
 * and for many senders a promise each, resolved when the flush has ended, before which none of them sends again.
 */
import { writeSync } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { bytes, open, utf8 } from "odradek";
import { appendBatch, batchesOf, noteEnd } from "./harness/bare-loop.mjs";
import { freshDirectory, remove } from "./harness/places.mjs";
import { median, quick, race, seconds } from "./harness/race.mjs";
import { framedByteLength, someRecords } from "./harness/records.mjs";

/** Laps are short, and there are many: what a flush takes on a shared disk changes from second to second. */
const ROUNDS = quick ? 15 : 41;
const SINGLE = quick ? 25 : 100;
const CONCURRENT = 64;
const TURNS = quick ? 15 : 60;
/** More than a race writes: holes, which take no room. */
const LONG_BYTE_LENGTH = 1024 ** 3;
/** What the engine keeps to, so that the program's own reads find a thread: see src/storage/fenced.ts. */
const FLUSHES_IN_FLIGHT = 3;
const [record] = someRecords("t", 1, 100);
const single = 61 + framedByteLength(100);

for (const partitions of [1, 12]) {
  const directory = freshDirectory("send");
  const log = await open(join(directory, "log"));
  await log.createTopic("t", { partitions });
  const producer = log.producer({ key: utf8, value: bytes });
  const files = await Promise.all(Array.from({ length: partitions }, (_, index) => openFile(join(directory, `raw-${index}`), "w")));
  const ends = files.map(() => 0);
  const append = async (index, block) => {
    ends[index] += writeSync(files[index].fd, block, 0, block.length, ends[index]);
    await files[index].datasync();
  };
  const bare = await bareFiles(directory, partitions);
  if (partitions === 1) {
    const budget = { ratio: 1 / 1.1 };
    await raceOne(
      { name: "one durable send at a time, p50", against: "write + fdatasync of the same batch, growing file", budget },
      producer,
      append,
      bare,
    );
    await files[0].truncate(LONG_BYTE_LENGTH);
    await files[0].sync();
    const besideLong = "one durable send at a time, p50, beside a long file";
    await raceOne({ name: besideLong, against: "write + fdatasync of the same batch, file made long first" }, producer, append);
    await files[0].truncate(ends[0]);
  }
  await raceMany(producer, append, partitions, bare);
  for (const file of files) await file.close();
  await bare.close();
  await log.close();
  remove(directory);
}

async function raceOne(named, producer, append, bare = null) {
  const block = new Uint8Array(single);
  const lapOf = (send) => async () => {
    const laps = [];
    for (let sent = 0; sent < SINGLE; sent += 1) laps.push((await seconds(send)) * 1000);
    return median(laps);
  };
  await race({
    ...named,
    unit: "ms",
    better: "lower",
    rounds: ROUNDS,
    ours: lapOf(() => producer.send(record)),
    raw: lapOf(() => append(0, block)),
    limits:
      bare === null
        ? []
        : [
            {
              name: "bare loop",
              does: "one record, encoded by the core, a write, fdatasync; file made long first",
              lap: lapOf(() => bare.append(0, 1)),
            },
            {
              name: "bare loop with the note",
              does: "the same, and behind the flush the note of the durable end, a write into another file",
              lap: lapOf(() => bare.appendNoted(0, 1)),
            },
          ],
  });
}

async function raceMany(producer, append, partitions, bare) {
  const records = Array.from({ length: partitions }, (_, partition) => ({ ...record, partition }));
  await race({
    name: `64 senders, durable, ${partitions} partition${partitions === 1 ? "" : "s"}`,
    unit: "sends/s",
    against: "the same appends, one write + fdatasync a turn and file, growing files",
    budget: { ratio: 0.9 },
    rounds: ROUNDS,
    ours: () => sendersLap((partition) => producer.send(records[partition]), partitions),
    raw: async () => {
      // Each file gets its senders' records in one write and one flush a turn; three of them are at work at any time.
      const left = Array.from({ length: TURNS }, () => records.map((_, partition) => partition)).flat();
      const worker = async () => {
        for (let partition = left.shift(); partition !== undefined; partition = left.shift()) await append(partition, blocks[partition]);
      };
      const blocks = records.map((_, partition) => new Uint8Array(61 + sendersOf(partition, partitions) * framedByteLength(100)));
      const workers = Math.min(FLUSHES_IN_FLIGHT, partitions);
      const took = await seconds(() => Promise.all(Array.from({ length: workers }, worker)));
      return (CONCURRENT * TURNS) / took;
    },
    limits: [
      {
        name: "bare loop",
        does: "a promise for each send; what waits for a file is one batch of the core's, a write and a flush; files made long first",
        lap: () => sendersLap(groupCommit(bare.append, partitions), partitions),
      },
      {
        name: "bare loop with the note",
        does: "the same, and behind each flush the note of the durable end, a write into another file",
        lap: () => sendersLap(groupCommit(bare.appendNoted, partitions), partitions),
      },
    ],
  });
}

/** Sixty-four that each send again when they are answered; a figure in sends a second. */
async function sendersLap(send, partitions) {
  const sender = async (index) => {
    for (let turn = 0; turn < TURNS; turn += 1) await send(index % partitions);
  };
  const took = await seconds(() => Promise.all(Array.from({ length: CONCURRENT }, (_, index) => sender(index))));
  return (CONCURRENT * TURNS) / took;
}

/** Answers a `send`: those of one turn and partition share a flush, those that come meanwhile share the next. */
function groupCommit(append, partitions) {
  const waiting = Array.from({ length: partitions }, () => []);
  const due = [];
  const isBusy = waiting.map(() => false);
  let inFlight = 0;
  const flushNext = async () => {
    if (inFlight === FLUSHES_IN_FLIGHT || due.length === 0) return;
    inFlight += 1;
    const partition = due.shift();
    const answered = waiting[partition];
    waiting[partition] = [];
    await append(partition, answered.length);
    inFlight -= 1;
    for (const resolve of answered) resolve();
    if (waiting[partition].length > 0) due.push(partition);
    else isBusy[partition] = false;
    void flushNext();
  };
  return (partition) =>
    new Promise((resolve) => {
      waiting[partition].push(resolve);
      if (isBusy[partition]) return;
      isBusy[partition] = true;
      due.push(partition);
      // Behind the turn, in which the others send as well.
      queueMicrotask(flushNext);
    });
}

/** Files made long first, and what appends a batch of so many records to one of them, durably. */
async function bareFiles(directory, partitions) {
  const files = await Promise.all(Array.from({ length: partitions }, (_, index) => openFile(join(directory, `bare-${index}`), "w")));
  for (const file of files) {
    await file.truncate(LONG_BYTE_LENGTH);
    await file.sync();
  }
  const notes = await Promise.all(files.map((_, index) => openFile(join(directory, `note-${index}`), "w")));
  const ends = files.map(() => 0);
  let turn = 0;
  const [one] = batchesOf([record]);
  const batches = Array.from({ length: CONCURRENT + 1 }, (_, count) => Array.from({ length: count }, () => one[0]));
  const append = async (index, count) => {
    ends[index] += appendBatch(files[index].fd, batches[count], ends[index]);
    await files[index].datasync();
  };
  return {
    append,
    appendNoted: async (index, count) => {
      await append(index, count);
      noteEnd(notes[index].fd, ends[index], turn++);
    },
    close: async () => {
      for (const file of [...files, ...notes]) await file.close();
    },
  };
}

function sendersOf(partition, partitions) {
  return Math.floor(CONCURRENT / partitions) + (partition < CONCURRENT % partitions ? 1 : 0);
}
