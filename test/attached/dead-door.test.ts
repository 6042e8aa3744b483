/**
 * A socket that somebody keeps open for an owner that is dead: in Deno a child process inherits it. Those attached reached it, and waited two seconds for an
 * answer before they so much as tried the lock, which was free; now a quarter of one.
 */
import { expect, it } from "vitest";
import { AttachedLog } from "../../src/attached/attached-log.ts";
import type { Channel, ChannelListener } from "../../src/attached/channel.ts";
import { ATTACH_TIMES } from "../../src/attached/door.ts";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import { memory, open } from "../../src/index.ts";
import { keeperOf } from "../../src/keepers.ts";

/** Takes what is sent, and never says a word. */
class SilentChannel implements Channel {
  readonly key = "";
  readonly isTrusted = true;
  readonly unsentByteLength = 0;
  #listener: ChannelListener | null = null;
  start(listener: ChannelListener): void {
    this.#listener = listener;
  }
  send(): void {}
  trust(): void {}
  pause(): void {}
  resume(): void {}
  keepAlive(): void {}
  async close(): Promise<void> {
    this.#listener?.ended(null);
    this.#listener = null;
  }
}

it("a socket that answers nothing keeps nobody from the lock of a dead owner for long", async () => {
  const log = await open({ storage: memory() });
  const keeper = keeperOf(log)!;
  const beganMs = systemClock.monotonic();
  let triedMs = 0;
  const attached = await AttachedLog.open({
    door: {
      reach: async () => new SilentChannel(),
      own: async () => {
        triedMs = systemClock.monotonic() - beganMs;
        return { keeper, letGo: async () => {} };
      },
      shut: (reason) => reason as never,
    },
    clock: systemClock,
    random: systemRandom,
    emit: () => {},
    absolute: String,
    times: ATTACH_TIMES,
  });
  expect(attached.isOwner).toBe(true);
  expect(triedMs).toBeGreaterThan(200);
  expect(triedMs).toBeLessThan(ATTACH_TIMES.helloMs);
  await attached.close();
  await log.close();
});
