/** The door between processes: who is let in, what is refused in words, and that nothing which comes through it harms the owner. */
import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import type { AttachTimes } from "../../src/attached/door.ts";
import { frameParts, KIND, PROTOCOL_VERSION, parseFrame } from "../../src/attached/frame.ts";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { nodeCodecs } from "../../src/compression/node-codecs.ts";
import type { Odradek } from "../../src/index.ts";
import { open, utf8 } from "../../src/index.ts";
import { openOn } from "../../src/open.ts";
import { sharingOn } from "../../src/sharing.ts";
import { nodeHolder, nodeStorage } from "../../src/storage/node.ts";
import { temporaryDirectory } from "../face/support.ts";
import { Child, killAll, removeBundle } from "./children.ts";

let path: string;
let owner: Odradek;

beforeEach(async () => {
  path = temporaryDirectory();
  owner = await open(path);
  await owner.createTopic("t");
  await (await open(path, { attach: true })).close();
});
afterEach(async () => {
  await owner.close();
  await killAll();
});
afterAll(removeBundle);

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

function addressFile(): { readonly address: string; readonly key: string } {
  return JSON.parse(readFileSync(join(path, ".odradek-attach"), "utf8"));
}

/** What the owner says until it hangs up, or for a while. */
async function said(bytes: Uint8Array): Promise<{ readonly bytes: Buffer; readonly hungUp: boolean }> {
  const socket: Socket = createConnection(addressFile().address);
  const pieces: Buffer[] = [];
  let hungUp = false;
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) =>
    socket.on("close", () => {
      hungUp = true;
      resolve();
    }),
  );
  socket.write(bytes);
  await Promise.race([closed, pause(150)]);
  socket.destroy();
  return { bytes: Buffer.concat(pieces), hungUp };
}

function refusalIn(bytes: Buffer): { readonly code: string; readonly message: string } {
  const frame = parseFrame(new Uint8Array(bytes.subarray(4, 4 + bytes.readUInt32BE(0))));
  expect(frame.kind).toBe(KIND.refusal);
  return frame.body as { readonly code: string; readonly message: string };
}

const joined = (parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts);
const hello = (change: object = {}): Uint8Array =>
  joined(frameParts(KIND.hello, 0, { version: PROTOCOL_VERSION, key: addressFile().key, ...change }));

/** As `open`, with less patience. */
function impatient(times: Partial<AttachTimes> = {}): typeof open {
  const quick = { pulse: { everyMs: 40, silentMs: 150 }, helloMs: 100, openMs: 300, callMs: 1000, ...times };
  return openOn({
    clock: systemClock,
    random: systemRandom,
    storageAt: nodeStorage,
    holder: nodeHolder,
    publish: undefined,
    codecs: nodeCodecs(),
    wasm: undefined,
    sharing: sharingOn(quick),
  });
}

async function stillWorks(): Promise<void> {
  const attached = await open(path, { attach: true });
  expect(await attached.listTopics()).toEqual(["t"]);
  await attached.close();
}

it("the file that leads to the socket and the socket are its user's alone, and both are gone when the owner has closed", async () => {
  const { address } = addressFile();
  expect(statSync(join(path, ".odradek-attach")).mode & 0o777).toBe(0o600);
  expect(statSync(address).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(address)).mode & 0o777).toBe(0o700);
  await owner.close();
  expect(existsSync(join(path, ".odradek-attach"))).toBe(false);
  expect(existsSync(dirname(address))).toBe(false);
});

it("another version, a wrong key, a first frame that is no hello: each is told why, and hung up on", async () => {
  const other = await said(hello({ version: PROTOCOL_VERSION + 1 }));
  expect(refusalIn(other.bytes)).toMatchObject({
    code: "UNSUPPORTED_VERSION",
    message: expect.stringContaining("same version of odradek"),
  });
  expect(other.hungUp).toBe(true);
  const stranger = await said(hello({ key: "0".repeat(32) }));
  expect(refusalIn(stranger.bytes)).toMatchObject({ code: "INVALID_REQUEST" });
  expect(stranger.hungUp).toBe(true);
  const rude = await said(joined(frameParts(KIND.call, 1, ["deleteTopic", "t"])));
  expect(refusalIn(rude.bytes)).toMatchObject({ code: "INVALID_REQUEST" });
  await stillWorks();
});

it("whatever bytes come, before the hello or behind it, the owner lives and serves the others", async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 4 }), async (isKnown, pieces) => {
      const length = new Uint8Array([0xff, 0xff, 0xff, 0xff]);
      const framed = pieces.map((piece) => {
        const bytes = new Uint8Array(4 + piece.length);
        new DataView(bytes.buffer).setUint32(0, piece.length);
        bytes.set(piece, 4);
        return bytes;
      });
      await said(joined([...(isKnown ? [hello()] : []), ...framed, ...pieces, length]));
    }),
    { numRuns: 8 },
  );
  await stillWorks();
});

it("a call that makes no sense is answered in words, and the channel goes on", async () => {
  const calls: unknown[] = [
    ["constructor"],
    ["close"],
    ["fetch", 7],
    ["fetch", { partitions: [{ topic: "t", partition: -1, offset: 0, maxBytes: 1 }], surprise: 1 }],
    ["produce", { topic: "t", partition: 0, acks: "all" }],
    ["createTopic", { topic: ["t"], partitions: {}, config: 9 }],
    ["deleteRecords", { topic: "t", partition: Number.NaN }, "x"],
    ["offsetCommit", {}],
    ["joinGroup", { groupId: "g", memberId: "", protocols: [] }],
    ["endTransaction", { producerId: 1.5, producerEpoch: 0, transactionalId: "x", commit: true }],
    ["metadata", null],
  ];
  const frames = calls.map((body, index) => joined(frameParts(KIND.call, index + 1, body)));
  const { bytes, hungUp } = await said(joined([hello(), ...frames]));
  expect(hungUp).toBe(false);
  const kinds = new Map<number, number>();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    const { kind, id } = parseFrame(new Uint8Array(bytes.subarray(at + 4, end)));
    kinds.set(id, kind);
    at = end;
  }
  expect(kinds.get(calls.length)).toBe(KIND.answer);
  for (let id = 1; id < calls.length - 2; id += 1) expect([id, kinds.get(id)]).toEqual([id, KIND.fault]);
  await stillWorks();
});

it("a copied directory does not lead to the original's owner", async () => {
  const copy = temporaryDirectory();
  cpSync(path, copy, { recursive: true });
  const lonely = await open(copy, { attach: true });
  await lonely.createTopic("of-the-copy");
  expect(await owner.listTopics()).toEqual(["t"]);
  await lonely.close();
});

it("an owner that lets nobody attach is named", async () => {
  await owner.close();
  const alone = await Child.start();
  await alone.order({ call: "open", path, options: { attach: false } });
  const error = await impatient()(path, { attach: true }).catch((refused: unknown) => refused);
  expect(error).toMatchObject({ code: "DIRECTORY_IN_USE", retriable: true, holder: { pid: alone.pid } });
  expect((error as Error).message).toContain("attach: false");
  await alone.order({ call: "close" });
});

it("an address file that is rubbish is no reason not to open", async () => {
  await owner.close();
  writeFileSync(join(path, ".odradek-attach"), "{ rubbish");
  owner = await open(path, { attach: true });
  await stillWorks();
});

it("an owner that closes finishes what was begun and hands the rest on: under load nothing is rejected, and order stays", async () => {
  const attached = await open(path, { attach: true });
  const producer = attached.producer<string, string>({ key: utf8, value: utf8 });
  const sends: Promise<unknown>[] = [];
  for (let index = 0; index < 400; index += 1) {
    sends.push(producer.send({ topic: "t", value: String(index) }));
    if (index % 10 === 0) await pause(0);
    if (index === 200) void owner.close();
  }
  await Promise.all(sends);
  const consumer = attached.consumer<string, string>({ key: utf8, value: utf8 });
  await consumer.assign([{ topic: "t", partition: 0 }]);
  const values: string[] = [];
  for await (const { value } of consumer.records({ until: "end" })) values.push(value as string);
  expect(values).toEqual(Array.from({ length: 400 }, (_, index) => String(index)));
  await attached.close();
});

it("quotas hold for who is attached, and are set from there", async () => {
  const attached = await open(path, { attach: true });
  await attached.alterClientQuotas("c", { producerByteRate: 1_000_000 });
  const producer = attached.producer<string, string>({ key: utf8, value: utf8, clientId: "c" });
  const { offset } = await producer.send({ topic: "t", value: "held against its quota" });
  expect(offset).toBe(0);
  expect(await owner.describeClientQuotas()).toEqual([{ clientId: "c", quota: { producerByteRate: 1_000_000 } }]);
  await attached.close();
});

it("thousands of small calls at once, and megabytes of records, come through in bounded memory", async () => {
  const attached = await open(path, { attach: true });
  const answers = await Promise.all(Array.from({ length: 20_000 }, () => attached.listTopics()));
  expect(answers.every(([name]) => name === "t")).toBe(true);
  const producer = attached.producer<string, Uint8Array>({ key: utf8 });
  const value = new Uint8Array(100_000);
  await Promise.all(Array.from({ length: 200 }, () => producer.send({ topic: "t", value })));
  const { partitions } = await attached.describeTopic("t");
  expect(partitions[0]!.logEndOffset).toBe(200);
  await attached.close();
});

it("a stopped owner is named to who comes; who is attached and finds it silent waits, and goes on when it does", async () => {
  await owner.close();
  const stopped = await Child.start();
  await stopped.order({ call: "open", path });
  const events: string[] = [];
  const attached = await impatient({ callMs: 20_000, openMs: 10_000 })(path, { attach: true, onEvent: ({ type }) => events.push(type) });
  stopped.signal("SIGSTOP");
  const late = attached.listTopics();
  const error = await impatient()(path, { attach: true }).catch((refused: unknown) => refused);
  expect(error).toMatchObject({ code: "DIRECTORY_IN_USE", holder: { pid: stopped.pid } });
  while (!events.includes("owner.lost")) await pause(20);
  stopped.signal("SIGCONT");
  expect(await late).toEqual(["t"]);
  await attached.close();
  await stopped.order({ call: "close" });
});

it("where nobody has the log for too long, calls are rejected: those that may have been done say so, and are retriable like the rest", async () => {
  await owner.close();
  const gone = await Child.start();
  await gone.order({ call: "open", path });
  const attached = await impatient({ callMs: 200, openMs: 10_000 })(path, { attach: true });
  gone.signal("SIGSTOP");
  const asked = attached.listTopics().catch((error: unknown) => error);
  const inDoubt = attached.createTopic("u").catch((error: unknown) => error);
  expect(await inDoubt).toMatchObject({ code: "NETWORK_EXCEPTION", retriable: true, message: expect.stringContaining("not known") });
  expect(await asked).toMatchObject({ retriable: true });
  await gone.kill();
  while ((await attached.listTopics().catch(() => [])).length === 0) await pause(20);
  await attached.close();
});

it("a process that has nothing more to do ends, attached or owning, without having closed its log", async () => {
  const attached = await Child.start();
  await attached.order({ call: "open", path, options: { attach: true } });
  await attached.ends();
  await owner.close();
  const owning = await Child.start();
  await owning.order({ call: "open", path, options: { attach: true } });
  await owning.ends();
});
