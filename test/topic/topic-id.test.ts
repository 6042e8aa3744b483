import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { uuidFromText, uuidToText } from "../../src/base/uuid-text.ts";
import { SeededRandom } from "../../src/testing/index.ts";
import { isTopicId, newTopicId, topicIdBytes } from "../../src/topic/topic-id.ts";

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe("a uuid's text", () => {
  it("is base64 as everyone else makes it, and comes back", () => {
    fc.assert(
      fc.property(sixteen, (bytes) => {
        const text = uuidToText(bytes);
        expect(text).toBe(Buffer.from(bytes).toString("base64url"));
        expect(uuidFromText(text)).toEqual(new Uint8Array(bytes));
      }),
    );
    expect(uuidFromText("AAECAwQFBgcICQoLDA0ODw")).toEqual(Uint8Array.from({ length: 16 }, (_, index) => index));
  });

  it("is the only one its bytes have: nothing else is read", () => {
    for (const text of [
      "",
      "AAECAwQFBgcICQoLDA0ODx",
      "AAECAwQFBgcICQoLDA0ODw==",
      "AAECAwQFBgcICQoLDA0OD",
      "AAECAwQFBgcICQoLDA0ODww",
      "AAECAwQFBgcICQoLDA0O/w",
      "AAECAwQFBgcICQoLDA0ODw\n",
    ]) {
      expect(uuidFromText(text), text).toBeNull();
    }
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{22}$/), (text) => {
        const bytes = uuidFromText(text);
        if (bytes !== null) expect(uuidToText(bytes)).toBe(text);
      }),
    );
  });
});

describe("a topic's id", () => {
  it("is a uuid that Kafka could have given, never with a dash in front, and differs each time", () => {
    const random = new SeededRandom("ids");
    const ids = new Set<string>();
    for (let count = 0; count < 3000; count++) {
      const id = newTopicId(random);
      expect(isTopicId(id)).toBe(true);
      expect(id.startsWith("-")).toBe(false);
      expect((topicIdBytes(id)[6] as number) >> 4).toBe(4);
      ids.add(id);
    }
    expect(ids.size).toBe(3000);
  });

  it("is no other text", () => {
    for (const value of [
      "AAAAAAAAAAAAAAAAAAAAAA",
      "AAAAAAAAAAAAAAAAAAAAAQ",
      "-AECAwQFBgcICQoLDA0ODw",
      "",
      "orders",
      null,
      undefined,
      7,
      {},
    ]) {
      expect(isTopicId(value)).toBe(false);
      expect(() => topicIdBytes(value as string)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    }
    expect(isTopicId("AAECAwQFBgcICQoLDA0ODw")).toBe(true);
  });

  it("is not looked for for ever when chance is none", () => {
    const stuck = { next: () => 0, bytes: (count: number) => new Uint8Array(count).fill(0xfb) };
    expect(() => newTopicId(stuck)).toThrow(/expected random bytes/);
  });
});
