/** Which limit holds for which client: its own, else the default of all, else none. */
import type { ClientQuota } from "../api/broker.ts";
import type { QuotaKey } from "../api/odradek.ts";
import { UsageError } from "../base/errors.ts";
import { checkOptions, customOption, describeValue, type OptionTable } from "../base/options.ts";
import { CLIENT_ID_LENGTH_MAX, isQuotaClient, isQuotaValue, QUOTA_KEYS } from "../base/quota-keys.ts";

export type Quota = Readonly<Partial<Record<QuotaKey, number>>>;
/** null: back to the default. */
export type QuotaChange = { readonly [P in QuotaKey]?: number | null };

const VALUE = customOption<number | null>(
  "a finite number above 0, or null for the default",
  (value) => value === null || isQuotaValue(value),
);
const CHANGE: OptionTable<Record<QuotaKey, number | null>> = { producerByteRate: VALUE, consumerByteRate: VALUE, requestPercentage: VALUE };

/** Throws a `UsageError`: INVALID_ARGUMENT, or UNKNOWN_CONFIG with the nearest name. */
export function checkQuotaChange(clientId: unknown, quota: unknown): { readonly clientId: string | null; readonly change: QuotaChange } {
  if (!isQuotaClient(clientId)) {
    throw new UsageError(
      "INVALID_ARGUMENT",
      `alterClientQuotas(): clientId: expected 1 to ${CLIENT_ID_LENGTH_MAX} characters, or null for the default of all; found ${describeValue(clientId)}`,
    );
  }
  if (quota === undefined) throw new UsageError("INVALID_ARGUMENT", "alterClientQuotas(): expected an object of quotas, found undefined");
  return { clientId, change: checkOptions(quota, CHANGE, "alterClientQuotas()") };
}

/** The list with the change made: a client with no quota left is not in it. */
export function changedQuotas(quotas: readonly ClientQuota[], clientId: string | null, change: QuotaChange): readonly ClientQuota[] {
  const before: Quota = quotas.find((each) => each.clientId === clientId)?.quota ?? {};
  const after: Partial<Record<QuotaKey, number>> = {};
  for (const key of QUOTA_KEYS) {
    const value = change[key] === undefined ? before[key] : change[key];
    if (value !== undefined && value !== null) after[key] = value;
  }
  const others = quotas.filter((each) => each.clientId !== clientId);
  return Object.keys(after).length === 0 ? others : [...others, { clientId, quota: Object.freeze(after) }];
}

export class QuotaTable {
  readonly #quotas: ReadonlyMap<string | null, Quota>;

  constructor(quotas: readonly ClientQuota[]) {
    this.#quotas = new Map(quotas.map(({ clientId, quota }) => [clientId, quota]));
  }

  /** Whether no client has any. */
  get isEmpty(): boolean {
    return this.#quotas.size === 0;
  }

  /** `Infinity`: none. */
  limit(clientId: string, key: QuotaKey): number {
    return this.#quotas.get(clientId)?.[key] ?? this.#quotas.get(null)?.[key] ?? Number.POSITIVE_INFINITY;
  }
}
