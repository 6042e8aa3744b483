/** Why a name or an id was refused, and what an id is made of: its version, its variant, and as many tries as chance may need. */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { isTopicId, newTopicId, topicIdBytes } from "../../src/topic/topic-id.ts";
import { checkNewTopicName } from "../../src/topic/topic-name.ts";

describe("a new topic's name", () => {
  it.each([
    ["Orders", ["orders"], '"Orders" would differ from topic "orders" only in case'],
    ["a.b", ["a_b"], '"a.b" would differ from topic "a_b" only in "." against "_"'],
    ["A.b", ["a_b"], '"A.b" would differ from topic "a_b" only in "." against "_"'],
    ["a.b_c", ["x", "a_b.c", "A.B_C"], '"a.b_c" would differ from topic "a_b.c" only in'],
    ["a.b", ["a.b", "A.B"], '"a.b" would differ from topic "A.B" only in case'],
  ])("%s beside %j is told which topic it would be mistaken for, and why", (name, existing, sentence) => {
    expect(() => checkNewTopicName(name, existing)).toThrow(
      expect.objectContaining({ name: "UsageError", code: "INVALID_TOPIC_EXCEPTION", message: expect.stringContaining(sentence) }),
    );
  });

  it.each([
    ["a.b", ["a-b", "a.bc", "aa.b", "a..b", "ab"]],
    ["a", ["b", "a"]],
    ["a_b", []],
  ])("%s is its own beside %j", (name, existing) => {
    checkNewTopicName(name, existing);
  });

  it.each([
    ["com1", true],
    ["COM9.x", true],
    ["lpt1.", true],
    ["com0", false],
    ["com1x", false],
    ["xcom1", false],
    ["prn", true],
    ["prn_", false],
    ["aux.b", true],
  ])("%s is a device of Windows: %s", (name, isDevice) => {
    if (isDevice) expect(() => checkNewTopicName(name, [])).toThrow("Windows keeps that name");
    else checkNewTopicName(name, []);
  });

  it("is measured before it is read, and told by the first character that it may not have", () => {
    expect(() => checkNewTopicName(" ".repeat(250), [])).toThrow("at most 249 characters, found 250");
    expect(() => checkNewTopicName("a b/c", [])).toThrow('found " " in "a b/c"');
    expect(() => checkNewTopicName("a/b c", [])).toThrow('found "/" in "a/b c"');
    expect(() => checkNewTopicName({} as never, [])).toThrow("found object");
  });
});

describe("a topic's id", () => {
  it("is a uuid of version 4 and of the variant of its standard, whatever chance gives", () => {
    const random = new SeededRandom(5);
    const rest: number[] = [0, 0];
    for (let count = 0; count < 300; count++) {
      const bytes = topicIdBytes(newTopicId(random));
      expect([(bytes[6] as number) >> 4, (bytes[8] as number) >> 6]).toEqual([4, 2]);
      rest[0] = (rest[0] as number) | ((bytes[6] as number) & 0x0f);
      rest[1] = (rest[1] as number) | ((bytes[8] as number) & 0x3f);
    }
    // The other bits are chance.
    expect(rest).toEqual([0x0f, 0x3f]);
  });

  it("is looked for a hundred times, and found at the hundredth", () => {
    for (const [goodAt, isFound] of [
      [100, true],
      [101, false],
    ] as const) {
      let asked = 0;
      const random = {
        next: () => 0,
        bytes: (count: number) => {
          asked += 1;
          return new Uint8Array(count).fill(asked === goodAt ? 1 : 0xfb);
        },
      };
      if (isFound) expect(isTopicId(newTopicId(random))).toBe(true);
      else
        expect(() => newTopicId(random)).toThrow(
          expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining("100 times") }),
        );
      expect(asked).toBe(100);
    }
  });

  it("is refused with what was found in its place", () => {
    for (const [id, found] of [
      ["orders", '"orders"'],
      [undefined, "undefined"],
      [7, "7"],
    ] as const)
      expect(() => topicIdBytes(id as string)).toThrow(`topicId: expected 22 characters of URL-safe base64, found ${found}`);
    expect([...topicIdBytes("AAECAwQFBgcICQoLDA0ODw")]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });
});
