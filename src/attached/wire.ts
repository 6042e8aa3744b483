/** Calls and answers as frames' bodies and tails: batches travel in the tail as they are, everything else is plain data. */
import type { FetchedPartition, FetchResponse, ProduceRequest } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import { badFrame } from "./frame.ts";

export interface Packed {
  readonly body: unknown;
  readonly tail: readonly Uint8Array[];
}

/** `batch` of a produce request is the tail. */
export function packCall(name: string, values: readonly unknown[]): Packed {
  if (name !== "produce") return { body: [name, ...values], tail: [] };
  const { batch, ...request } = values[0] as ProduceRequest;
  return { body: [name, request], tail: [batch] };
}

/** Throws unless it is a list that begins with a name. */
export function unpackCall(body: unknown, tail: Bytes): { readonly name: string; readonly values: unknown[] } {
  if (!Array.isArray(body) || typeof body[0] !== "string") throw badFrame("a call without a name");
  const [name, ...values] = body as [string, ...unknown[]];
  if (name === "produce" && typeof values[0] === "object" && values[0] !== null) {
    (values[0] as { batch: Bytes }).batch = tail;
  }
  return { name, values };
}

export function packAnswer(name: string, value: unknown): Packed {
  if (name !== "fetch") return { body: value, tail: [] };
  const { partitions, throttleTimeMs } = value as FetchResponse;
  const described = partitions.map((each) => ({ ...each, batches: each.batches.byteLength }));
  return { body: { partitions: described, throttleTimeMs }, tail: partitions.map(({ batches }) => batches) };
}

export function unpackAnswer(name: string, body: unknown, tail: Bytes): unknown {
  if (name === "fetch") {
    const response = body as { partitions: { batches: number | Bytes; abortedTransactions: { producerId: bigint }[] }[] };
    let at = 0;
    for (const each of response.partitions) {
      const end = at + (each.batches as number);
      if (!(end <= tail.byteLength)) throw badFrame(`batches up to byte ${end} of ${tail.byteLength}`);
      (each as { batches: Bytes } as FetchedPartition & { batches: Bytes }).batches = tail.subarray(at, end);
      at = end;
      for (const aborted of each.abortedTransactions) aborted.producerId = BigInt(aborted.producerId);
    }
  } else if (name === "initProducerId" || name === "endTransaction") {
    const identity = body as { producerId: bigint };
    identity.producerId = BigInt(identity.producerId);
  }
  return body;
}
