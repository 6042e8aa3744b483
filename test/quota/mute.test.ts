import { describe, expect, it } from "vitest";
import { inLine, Mute } from "../../src/quota/mute.ts";
import { ManualClock, settled } from "../../src/testing/index.ts";

/** What `after` was asked to keep the process alive for, and whether anything is still awaited. */
class Watched extends ManualClock {
  readonly asked: { keepAlive: boolean; isCancelled: boolean }[] = [];

  override after(delayMs: number, call: () => void, keepAlive = false): { cancel(): void } {
    const entry = { keepAlive, isCancelled: false };
    this.asked.push(entry);
    const timer = super.after(delayMs, call);
    return {
      cancel: () => {
        entry.isCancelled = true;
        timer.cancel();
      },
    };
  }
}

function line(clock: Watched, mute: Mute, signal?: AbortSignal, waitMs?: number): { done: string[]; ask(name: string): Promise<void> } {
  const done: string[] = [];
  const ask = (name: string): Promise<void> =>
    inLine(mute, async () => void done.push(`${name} at ${clock.monotonic()}`), { signal, ...(waitMs === undefined ? {} : { waitMs }) });
  return { done, ask };
}

describe("who waits in line", () => {
  it("goes in the order of coming when the client is heard again, and keeps the process alive until then", async () => {
    const clock = new Watched(0);
    const mute = new Mute(clock);
    const startMs = clock.monotonic();
    mute.begin(50);
    const { done, ask } = line(clock, mute);
    const asked = [ask("a"), ask("b")];
    expect(mute.isHolding).toBe(true);
    expect(clock.asked.every(({ keepAlive }) => keepAlive)).toBe(true);
    await clock.advance(49);
    await settled();
    expect(done).toEqual([]);
    await clock.advance(1);
    await Promise.all(asked);
    expect(done).toEqual([`a at ${startMs + 50}`, `b at ${startMs + 50}`]);
    expect(mute.isHolding).toBe(false);
  });

  it("may leave: with the last one the timer is given back, and with one of two it is not", async () => {
    const clock = new Watched(0);
    const mute = new Mute(clock);
    mute.begin(50);
    const first = new AbortController();
    const second = new AbortController();
    const gone = line(clock, mute, first.signal).ask("a");
    const stays = line(clock, mute, second.signal).ask("b");
    const timer = clock.asked[1];
    first.abort(new Error("first has gone"));
    await expect(gone).rejects.toThrow("first has gone");
    expect(timer?.isCancelled).toBe(false);
    second.abort(new Error("second has gone"));
    await expect(stays).rejects.toThrow("second has gone");
    expect(clock.asked.every(({ isCancelled }) => isCancelled)).toBe(true);
    await expect(line(clock, mute, first.signal).ask("never")).rejects.toThrow("first has gone");
  });

  it("waits on when the one before mutes the client again", async () => {
    const clock = new Watched(0);
    const mute = new Mute(clock);
    const startMs = clock.monotonic();
    mute.begin(10);
    const done: number[] = [];
    const first = inLine(
      mute,
      async () => {
        mute.begin(30);
        done.push(clock.monotonic() - startMs);
      },
      { signal: undefined },
    );
    const second = inLine(mute, async () => void done.push(clock.monotonic() - startMs), { signal: undefined });
    await clock.advance(10);
    await first;
    await clock.advance(29);
    await settled();
    expect(done).toEqual([10]);
    await clock.advance(1);
    await second;
    expect(done).toEqual([10, 40]);
  });
});
