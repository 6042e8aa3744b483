/** The batch that a producer of this process hands over straight from the core's writer: nobody could have touched it since. */

let handedOver: Uint8Array | null = null;

/**
 * Calls with `batch`, which must have come from the writer's `finish()` in this turn with no code of the program's run since.
 * Until the call returns, whoever is given that very view may believe what its header says: the writer has just framed its records
 * and summed its bytes, and doing both again would cost a quarter of an append.
 */
export function handOverOwn<Result>(batch: Uint8Array, call: () => Result): Result {
  const before = handedOver;
  handedOver = batch;
  try {
    return call();
  } finally {
    handedOver = before;
  }
}

/** Whether these bytes are such a batch: the same view, not merely equal ones. */
export function isOwnBatch(batch: Uint8Array): boolean {
  return batch === handedOver;
}
