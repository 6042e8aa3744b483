/** Lanes: five of a producer's batches for a partition under way, the others in line, and nobody overtaken. */
import { describe, expect, it } from "vitest";
import { CallLanes } from "../../src/attached/call-lanes.ts";
import type { OpenCall } from "../../src/attached/open-call.ts";

const callOf = (lane: string | null): OpenCall => ({ lane }) as OpenCall;
const callsOf = (lane: string | null, count: number): OpenCall[] => Array.from({ length: count }, () => callOf(lane));

describe("a lane", () => {
  it("lets five in, has the sixth stand in line, and leaves other lanes alone", () => {
    const lanes = new CallLanes();
    const calls = callsOf("a", 7);
    expect(calls.map((call) => lanes.enter(call))).toEqual([true, true, true, true, true, false, false]);
    expect(callsOf("b", 6).map((call) => lanes.enter(call))).toEqual([true, true, true, true, true, false]);
    expect(callsOf(null, 20).every((call) => lanes.enter(call))).toBe(true);
    expect(lanes.inLine().slice(0, 2)).toEqual(calls.slice(5));
    expect(lanes.inLine()).toHaveLength(3);
  });

  it("has the first in line take the place of one that is over, and no place more than there are", () => {
    const lanes = new CallLanes();
    const calls = callsOf("a", 8);
    for (const call of calls) lanes.enter(call);
    expect(lanes.leave(calls[3] as OpenCall)).toBe(calls[5]);
    expect(lanes.leave(calls[0] as OpenCall)).toBe(calls[6]);
    const late = callOf("a");
    expect(lanes.enter(late)).toBe(false);
    expect(lanes.inLine()).toEqual([calls[7], late]);
  });

  it("has nobody take the place of one that only stood in line", () => {
    const lanes = new CallLanes();
    const calls = callsOf("a", 8);
    for (const call of calls) lanes.enter(call);
    expect(lanes.leave(calls[6] as OpenCall)).toBeNull();
    expect(lanes.inLine()).toEqual([calls[5], calls[7]]);
    expect(lanes.leave(calls[1] as OpenCall)).toBe(calls[5]);
    expect(lanes.leave(calls[2] as OpenCall)).toBe(calls[7]);
    expect(lanes.leave(calls[0] as OpenCall)).toBeNull();
  });

  it("that has emptied has room for five again, and one that emptied in part for as many as have left", () => {
    const lanes = new CallLanes();
    const calls = callsOf("a", 5);
    for (const call of calls) lanes.enter(call);
    for (const call of calls.slice(0, 2)) expect(lanes.leave(call)).toBeNull();
    const next = callsOf("a", 3);
    expect(next.map((call) => lanes.enter(call))).toEqual([true, true, false]);
    for (const call of [...calls.slice(2), ...next.slice(0, 2)]) lanes.leave(call);
    lanes.leave(next[2] as OpenCall);
    expect(callsOf("a", 6).map((call) => lanes.enter(call))).toEqual([true, true, true, true, true, false]);
  });

  it("is nothing to a call without one, or after all of them were cleared", () => {
    const lanes = new CallLanes();
    const calls = callsOf("a", 7);
    for (const call of calls) lanes.enter(call);
    expect(lanes.leave(callOf(null))).toBeNull();
    lanes.clear();
    expect([lanes.inLine(), lanes.leave(calls[0] as OpenCall)]).toEqual([[], null]);
    expect(lanes.enter(callOf("a"))).toBe(true);
  });
});
