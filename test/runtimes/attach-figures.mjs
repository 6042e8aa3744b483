/** What it costs to work through another process: durable sends one after another, attached and in this process, in turns; and takeovers. */
import { median } from "./figures.mjs";
import { killOwner, Sharer } from "./sharing.mjs";

const ROUNDS = 5;
const SENDS = 100;
const TAKEOVERS = 3;

export async function attachFigures(odradek, directory, command) {
  const path = directory();
  const serving = new Sharer(command, path, "serving", { idle: true });
  await serving.hears("to open", ({ open }) => open !== undefined);
  const attached = await odradek.open(path, { attach: true });
  const inProcess = await odradek.open(directory());
  await inProcess.createTopic("t");
  const took = { attached: [], inProcess: [] };
  const sends = async (log, into) => {
    const producer = log.producer({ value: odradek.utf8 });
    for (let count = 0; count < SENDS; count += 1) {
      const beganMs = performance.now();
      await producer.send({ topic: "t", value: `${count}` });
      into.push(performance.now() - beganMs);
    }
    await producer.close();
  };
  await sends(attached, []);
  await sends(inProcess, []);
  for (let round = 0; round < ROUNDS; round += 1) {
    await sends(attached, took.attached);
    await sends(inProcess, took.inProcess);
  }
  await attached.close();
  await inProcess.close();
  await serving.kill();
  const tookMs = [];
  for (let round = 0; round < TAKEOVERS; round += 1) {
    const shared = directory();
    const first = new Sharer(command, shared, "owner", {});
    await first.hears("to open", ({ open }) => open !== undefined);
    const all = [first, ...["a", "b", "c"].map((name) => new Sharer(command, shared, name))];
    await Promise.all(all.map((each) => each.goesOn()));
    tookMs.push((await killOwner(first, all)).tookMs);
    await Promise.all(all.map((each) => each.kill()));
  }
  const at = (numbers, share) => [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length * share)];
  const latency = (name, share) => ({
    name: `one durable send through another process, ${name}`,
    value: at(took.attached, share),
    unit: "ms",
    rawLimit: at(took.inProcess, share),
    ratio: at(took.inProcess, share) / at(took.attached, share),
    spread: null,
    against: "the same send in the process that has the log",
  });
  return [
    latency("p50", 0.5),
    latency("p99", 0.99),
    { name: "takeover, owner killed with three attached", value: median(tookMs), unit: "ms", rawLimit: null, ratio: null, spread: null },
  ];
}
