/** Reading as a member of a group, where a poll finds nothing for a while: a quota, or a rebalance, holds records back that are there. */
import { expect, it, vi } from "vitest";
import type { Odradek } from "../../src/api/odradek.ts";
import { readAsMember } from "../../src/cli/group-reading.ts";
import type { Io } from "../../src/cli/io.ts";
import type { BytesRecord } from "../../src/cli/record-printer.ts";
import type { ReadPlan } from "../../src/cli/topic-reading.ts";

const record = { topic: "orders", partition: 0, offset: 0 } as BytesRecord;
const script = { polls: [] as BytesRecord[][], lags: [] as number[], said: [] as string[] };

vi.mock("../../src/cli/directory.ts", () => ({
  withWritable: (_options: unknown, _io: unknown, work: (log: Odradek) => Promise<void>) => {
    const consumer = {
      subscribe: async () => {},
      assignment: () => [record],
      poll: async () => script.polls.shift() ?? [],
      lag: async () => script.lags.shift() ?? 0,
      commit: async () => void script.said.push("committed"),
      close: async () => void script.said.push("closed"),
    };
    return work({ describeTopic: async () => ({}), consumer: () => consumer } as unknown as Odradek);
  },
}));

it("goes on until nothing is left, and not until a poll finds nothing", async () => {
  Object.assign(script, { polls: [[], [record], []], lags: [1, 0] });
  const out = { flush: async () => {}, ready: async () => {} };
  const io = { out, signal: new AbortController().signal, env: {} } as unknown as Io;
  const bounds = { start: { kind: "stored" }, stopTimestamp: null } as const;
  const plan: ReadPlan = { topic: "orders", partition: null, bounds, untilEnd: true, countMax: Number.POSITIVE_INFINITY };
  await readAsMember("billing", plan, {}, io, () => script.said.push("printed") < 0);
  expect(script.said).toEqual(["printed", "committed", "closed"]);
  expect(script.lags).toEqual([]);
});
