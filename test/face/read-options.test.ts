/** The options of `log.read`: what is known from the call before is judged as a stranger's is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { bytes, utf8 } from "../../src/base/serde.ts";
import { ReadCheck } from "../../src/call-options.ts";

/** Made anew for each call, as a program's literal is. */
const GIVEN: readonly (() => unknown)[] = [
  () => undefined,
  () => ({}),
  () => ({ key: utf8 }),
  () => ({ value: bytes }),
  () => ({ key: utf8, value: bytes }),
  () => ({ key: bytes, value: utf8 }),
  () => ({ key: utf8, value: undefined }),
  () => ({ key: undefined, value: undefined }),
  () => ({ key: utf8, valeu: bytes }),
  () => ({ key: utf8, valeu: undefined }),
  () => ({ key: utf8, value: bytes, valeu: bytes }),
  () => ({ key: utf8, value: undefined, valeu: bytes }),
  () => ({ valeu: bytes }),
  () => ({ key: {}, value: bytes }),
  () => ({ key: utf8, value: {} }),
  () => ({ key: utf8, value: null }),
  () => null,
  () => 5,
  () => "key",
  () => [],
  () => [utf8, bytes],
  () => Object.assign([utf8], { key: utf8, value: bytes }),
  () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  () => ({
    key: utf8,
    get value(): never {
      throw new RangeError("not today");
    },
  }),
];

function verdict(check: ReadCheck, given: unknown): string {
  try {
    check.check(given);
    return "legal";
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
}

describe("the options of a read", () => {
  it("are judged alike whatever was given to the reads before", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...GIVEN), { maxLength: 12 }), (calls) => {
        const check = new ReadCheck();
        for (const make of calls) expect(verdict(check, make())).toBe(verdict(new ReadCheck(), make()));
      }),
      { numRuns: 1000 },
    );
  });

  it("are legal as one serde, both or none, and nothing else is", () => {
    expect(GIVEN.map((make) => verdict(new ReadCheck(), make()) === "legal")).toEqual(GIVEN.map((_, index) => index < 8));
  });

  it("are known again by their serdes: these are not looked into a second time", () => {
    let looks = 0;
    const mine = {
      get deserialize() {
        looks += 1;
        return bytes.deserialize;
      },
    };
    const check = new ReadCheck();
    for (let call = 0; call < 5; call += 1) check.check({ key: utf8, value: mine });
    expect(looks).toBe(1);
    for (let call = 0; call < 5; call += 1) check.check({ value: mine });
    expect(looks).toBe(2);
  });
});
