/** A race holds every lane of its rounds against the raw loop, and says of a limit's lane whose limit it is and how much of it was reached. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { race, toldLimit } from "../../bench/harness/race.mjs";

const printed: string[] = [];
beforeEach(() => {
  printed.length = 0;
  vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
});
afterEach(() => vi.restoreAllMocks());

describe("a race with a lane that measures a limit", () => {
  const lap = (order: string[], name: string, figure: (round: number) => number) => async (round: number) => {
    order.push(name);
    return figure(round);
  };

  it("is two results, each a share of the raw loop of its own rounds", async () => {
    const order: string[] = [];
    // The machine is ten times slower in every other round: shares stand, figures do not.
    const slower = (figure: number) => (round: number) => (round % 2 === 0 ? figure : figure / 10);
    const result = await race({
      name: "append",
      unit: "records/s",
      rounds: 6,
      ours: lap(order, "ours", slower(50)),
      raw: lap(order, "raw", slower(100)),
      limits: [{ name: "bare loop", does: "encodes", lap: lap(order, "bare loop", slower(80)) }],
    });
    expect(result).toMatchObject({ name: "append", ratio: 0.5, rounds: 6 });
    expect(printed).toHaveLength(2);
    expect(printed[1]).toMatch(/^append: bare loop .* 80 % of raw \(80 to 80\)$/);
  });

  it("lets each lane go first, and each come behind each other", async () => {
    const order: string[] = [];
    const lane = (name: string) => lap(order, name, () => 1);
    await race({
      name: "append",
      unit: "records/s",
      rounds: 10,
      ours: lane("o"),
      raw: lane("r"),
      limits: [{ name: "bare", does: "", lap: lane("b") }],
    });
    const rounds = Array.from({ length: order.length / 3 }, (_, round) => order.slice(round * 3, round * 3 + 3).join(""));
    expect(new Set(rounds)).toEqual(new Set(["rob", "obr", "bro", "bor", "rbo", "orb"]));
  });

  it("takes time for a third lane, not from the rounds of the two", async () => {
    let ms = 0;
    vi.spyOn(performance, "now").mockImplementation(() => ms);
    const second = async () => {
      ms += 1000;
      return 1;
    };
    const three = { ours: second, raw: second, limits: [{ name: "bare", does: "", lap: second }] };
    const { rounds } = await race({ name: "append", unit: "records/s", rounds: 99, secondsMax: 30, ...three });
    const { rounds: ofTwo } = await race({ name: "append", unit: "records/s", rounds: 99, secondsMax: 30, ours: second, raw: second });
    expect(rounds).toBe(ofTwo);
  });

  it("is recorded with what it limits, what it does and how much of it was reached", () => {
    const of = { name: "open", unit: "ms", better: "lower" as const, against: "a lock" };
    const told = toldLimit({ of, limit: { name: "bare", does: "a read" }, figures: { limit: [2, 2], ours: [8, 8], raw: [1, 1] } });
    expect(told).toMatchObject({ name: "open: bare", limitOf: "open", does: "a read", value: 2, ratio: 0.5, oursOfIt: 0.25 });
    const limit = { name: "longer way", does: "two reads", isLimit: false };
    const beside = toldLimit({ of, limit, figures: { limit: [2, 2], ours: [8, 8], raw: [1, 1] } });
    expect(beside).toMatchObject({ name: "open: longer way", ratio: 0.5 });
    expect(beside).not.toHaveProperty("limitOf");
  });
});
