/** Signs of life, on a clock that may stop: a process that slept has heard nothing, and may not take that for the others' silence. */
import { expect, it } from "vitest";
import { Pulse } from "../../src/attached/pulse.ts";
import type { Clock } from "../../src/base/clock.ts";

const TIMES = { everyMs: 5000, silentMs: 20_000 };

/** Timers fire when the test says so, however late. */
class SleepyClock implements Clock {
  ms = 0;
  due: (() => void) | null = null;
  now(): number {
    return this.ms;
  }
  monotonic(): number {
    return this.ms;
  }
  after(_delayMs: number, call: () => void): { cancel(): void } {
    this.due = call;
    return { cancel: () => (this.due = null) };
  }
  wakeAfter(ms: number): void {
    this.ms += ms;
    this.due?.();
  }
}

it("who slept for an hour does not give the other side up, but waits as long as ever from then on", () => {
  const clock = new SleepyClock();
  const said: string[] = [];
  const pulse = new Pulse(
    clock,
    TIMES,
    () => said.push("alive"),
    () => said.push("gone"),
  );
  clock.wakeAfter(3_600_000);
  expect(said).toEqual(["alive"]);
  for (let i = 0; i < 4; i++) clock.wakeAfter(TIMES.everyMs);
  expect(said.at(-1)).toBe("gone");
  pulse.stop();
});

it("a side is given up when it was silent for longer than it may be, not when it was for as long, and is heard no more of", () => {
  const clock = new SleepyClock();
  const said: string[] = [];
  new Pulse(
    clock,
    TIMES,
    () => said.push("alive"),
    () => said.push("gone"),
  );
  for (let i = 0; i < 4; i++) clock.wakeAfter(TIMES.everyMs);
  expect(said).toEqual(["alive", "alive", "alive", "alive"]);
  clock.wakeAfter(1);
  expect(said).toEqual(["alive", "alive", "alive", "alive", "gone"]);
});

it("a side that was heard of begins anew, and one that stopped listening says nothing more", () => {
  const clock = new SleepyClock();
  const said: string[] = [];
  const pulse = new Pulse(
    clock,
    TIMES,
    () => said.push("alive"),
    () => said.push("gone"),
  );
  for (let i = 0; i < 4; i++) clock.wakeAfter(TIMES.everyMs);
  pulse.heard();
  for (let i = 0; i < 4; i++) clock.wakeAfter(TIMES.everyMs);
  expect(said).toEqual(Array.from({ length: 8 }, () => "alive"));
  pulse.stop();
  expect(clock.due).toBeNull();
});

it("a timer that is late by one interval is no sleep, by more it is", () => {
  for (const [lateMs, end] of [
    [TIMES.everyMs, "gone"],
    [TIMES.everyMs + 1, "alive"],
  ] as const) {
    const clock = new SleepyClock();
    const said: string[] = [];
    new Pulse(
      clock,
      TIMES,
      () => said.push("alive"),
      () => said.push("gone"),
    );
    for (let i = 0; i < 3; i++) clock.wakeAfter(TIMES.everyMs + lateMs);
    expect(said.at(-1)).toBe(end);
  }
});
