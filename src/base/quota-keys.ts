/** The quotas a client can have, and which values of them are legal: one table for the catalogue and for whoever sets them. */
import type { QuotaKey } from "../api/odradek.ts";

export const QUOTA_KEYS: readonly QuotaKey[] = Object.freeze(["producerByteRate", "consumerByteRate", "requestPercentage"]);

/** As long as a topic's name: what Kafka's tools take. */
export const CLIENT_ID_LENGTH_MAX = 249;

/** Bytes a second, or percent of one thread. Zero would be a client that may never do anything. */
export function isQuotaValue(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

/** null: the default of all clients without a quota of their own. */
export function isQuotaClient(value: unknown): value is string | null {
  return value === null || (typeof value === "string" && value.length >= 1 && value.length <= CLIENT_ID_LENGTH_MAX);
}
