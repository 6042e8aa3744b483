/** Turns: who has one, who waits for it, and when all of them are over. */
import { describe, expect, it } from "vitest";
import { Turns } from "../../src/engine/turns.ts";
import { settled } from "../../src/testing/manual-clock.ts";

interface Call {
  readonly call: () => Promise<string>;
  readonly end: (error?: unknown) => void;
}

/** Notes in `begun` when it begins, and ends when it is told to. */
function callOf(name: string, begun: string[]): Call {
  let resolve: (answer: string) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const ended = new Promise<string>((...settle) => ([resolve, reject] = settle));
  return {
    call: () => {
      begun.push(name);
      return ended;
    },
    end: (error) => (error === undefined ? resolve(name) : reject(error)),
  };
}

describe("a turn", () => {
  it("is had at once where nobody has it, in the turn of the event loop in which it was asked for", () => {
    const begun: string[] = [];
    void new Turns<string>().take("a", callOf("first", begun).call);
    expect(begun).toEqual(["first"]);
  });

  it("is waited for by those about the same thing, in their order, and by nobody else", async () => {
    const turns = new Turns<string>();
    const begun: string[] = [];
    const [first, second, third, other] = ["first", "second", "third", "other"].map((name) => callOf(name, begun)) as [
      Call,
      Call,
      Call,
      Call,
    ];
    const answers = [turns.take("a", first.call), turns.take("a", second.call), turns.take("b", other.call)];
    await settled();
    expect(begun).toEqual(["first", "other"]);
    first.end();
    await settled();
    expect(begun).toEqual(["first", "other", "second"]);
    // That the first is over does not make room beside the second.
    const last = turns.take("a", third.call);
    await settled();
    expect(begun).toHaveLength(3);
    for (const call of [second, third, other]) call.end();
    expect(await Promise.all([...answers, last])).toEqual(["first", "second", "other", "third"]);
    expect(begun).toEqual(["first", "other", "second", "third"]);
  });

  it("passes on where the call before it failed, which alone is told so", async () => {
    const turns = new Turns<string>();
    const [first, second] = [callOf("first", []), callOf("second", [])];
    const failing = turns.take("a", first.call);
    const next = turns.take("a", second.call);
    first.end(new Error("refused"));
    second.end();
    await expect(failing).rejects.toThrow("refused");
    expect(await next).toBe("second");
  });

  it("is over for all when nothing is under way any more, what came meanwhile included, and failures too", async () => {
    const turns = new Turns<string>();
    await turns.settled();
    const [first, second] = [callOf("first", []), callOf("second", [])];
    turns.take("a", first.call).catch(() => {});
    let isOver = false;
    const over = turns.settled().then(() => {
      isOver = true;
    });
    const later = turns.take("b", second.call);
    first.end(new Error("refused"));
    for (let turn = 0; turn < 3; turn += 1) await settled();
    expect(isOver).toBe(false);
    second.end();
    await Promise.all([later, over]);
    expect(isOver).toBe(true);
  });
});
