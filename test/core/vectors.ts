/** The given vectors, typed as far as tests use them. */
import { readFileSync } from "node:fs";

export interface VectorBatch {
  readonly name: string;
  readonly hex: string;
  readonly uncompressedRecordsHex: string;
  readonly expect: {
    readonly baseOffset: string;
    readonly batchLength: number;
    readonly partitionLeaderEpoch: number;
    readonly crc: number;
    readonly attributes: number;
    readonly lastOffsetDelta: number;
    readonly baseTimestamp: string;
    readonly maxTimestamp: string;
    readonly producerId: string;
    readonly producerEpoch: number;
    readonly baseSequence: number;
    readonly recordCount: number;
  };
  readonly records: readonly {
    readonly offset: string;
    readonly timestamp: string;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: readonly (readonly [name: string, value: string | null])[];
  }[];
}

interface Vectors {
  readonly crc32c: readonly { readonly inputHex: string; readonly crc: string }[];
  readonly varint: readonly { readonly value: number; readonly zigzag32Hex: string }[];
  readonly varlong: readonly { readonly value: string; readonly zigzag64Hex: string }[];
  readonly murmur2: readonly { readonly inputHex: string; readonly hash: number }[];
  readonly batches: readonly VectorBatch[];
}

export const vectors: Vectors = JSON.parse(readFileSync(new URL("../fixtures/vectors/vectors.json", import.meta.url), "utf8"));

export const isCompressed = ({ expect }: VectorBatch): boolean => (expect.attributes & 7) !== 0;

export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
