/** What a random program may ask of the face. */
import fc from "fast-check";

/** The last one is compacted. */
export const TOPICS = ["alpha", "beta", "gamma"] as const;
export const COMPACTED = "gamma";
export const GROUPS = ["g1", "g2"] as const;
/** A producer's and a topic's. Not zstd, which not every Node can write. */
export const CODECS = ["none", "gzip", "snappy", "lz4"] as const;
export const TOPIC_CODECS = ["producer", "uncompressed", "gzip", "snappy", "lz4"] as const;

export type Command =
  | { readonly do: "create"; readonly topic: number; readonly partitions: number; readonly codec: number }
  | { readonly do: "delete" | "maintain" | "reopen"; readonly topic: number; readonly partitions: number }
  | {
      readonly do: "send" | "sendBatch";
      readonly topic: number;
      readonly partition: number;
      readonly values: readonly (string | null)[];
      readonly timestamp: number;
      readonly codec: number;
      readonly idempotent: boolean;
    }
  | {
      readonly do: "read" | "poll" | "time" | "cut" | "marks";
      readonly topic: number;
      readonly partition: number;
      readonly at: number;
      readonly count: number;
    }
  | {
      readonly do: "commit" | "committed";
      readonly group: number;
      readonly topic: number;
      readonly partition: number;
      readonly at: number;
    }
  | { readonly do: "table"; readonly topic: number; readonly partition: number; readonly key: number }
  | { readonly do: "quota"; readonly client: number; readonly topic: number; readonly partition: number; readonly rate: number | null }
  | {
      readonly do: "transact";
      readonly topic: number;
      readonly partition: number;
      /** Where it sends, and what. */
      readonly parts: readonly { readonly topic: number; readonly partition: number; readonly values: readonly (string | null)[] }[];
      readonly commits: boolean;
      /** Of which group offsets go along, and how much was read; null: none. */
      readonly reads: { readonly group: number; readonly at: number; readonly count: number } | null;
      readonly codec: number;
      readonly timestamp: number;
    };

const small = fc.nat({ max: 5 });
const values = fc.array(fc.option(fc.string({ maxLength: 40 })), { minLength: 1, maxLength: 6 });

export const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("create" as const),
      topic: small,
      partitions: fc.integer({ min: 1, max: 3 }),
      codec: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
    }),
  },
  {
    // These take ten times as long as others.
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("delete", "maintain", "reopen", "maintain"),
      topic: small,
      partitions: fc.constant(0),
    }),
  },
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constantFrom("send", "sendBatch"),
      topic: small,
      partition: small,
      values,
      timestamp: fc.integer({ min: 0, max: 1000 }),
      codec: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3),
      idempotent: fc.boolean(),
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      do: fc.constantFrom("read", "poll", "time", "cut", "marks", "read", "marks"),
      topic: small,
      partition: small,
      at: fc.nat({ max: 60 }),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom("commit", "committed"),
      group: small,
      topic: small,
      partition: small,
      at: fc.nat({ max: 60 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("table" as const), topic: small, partition: small, key: fc.nat({ max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("quota" as const),
      client: fc.nat({ max: 1 }),
      topic: small,
      partition: small,
      rate: fc.option(fc.integer({ min: 2 ** 30, max: 2 ** 31 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("transact" as const),
      topic: small,
      partition: small,
      parts: fc.array(fc.record({ topic: small, partition: small, values }), { minLength: 1, maxLength: 3 }),
      commits: fc.boolean(),
      reads: fc.option(fc.record({ group: small, at: fc.nat({ max: 60 }), count: fc.integer({ min: 1, max: 20 }) })),
      codec: fc.constantFrom(0, 0, 0, 0, 1, 2, 3),
      timestamp: fc.integer({ min: 0, max: 1000 }),
    }),
  },
) as fc.Arbitrary<Command>;
