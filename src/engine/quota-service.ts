/** Quotas at work: what each client's requests take is counted, and a client over its limit is muted (Kafka's KIP-219). */
import type { ClientQuota, FetchedPartition, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { QuotaKey } from "../api/odradek.ts";
import type { Clock } from "../base/clock.ts";
import { QUOTA_KEYS } from "../base/quota-keys.ts";
import { ClientMeter, type Limits, type Throttle } from "../quota/client-meter.ts";
import { inLine, Mute } from "../quota/mute.ts";
import { changedQuotas, checkQuotaChange, QuotaTable } from "../quota/quota-table.ts";
import { WINDOW_COUNT, WINDOW_MS } from "../quota/sampled-rate.ts";
import type { Catalog } from "../topic/catalog.ts";
import type { EventFields } from "./events.ts";
import type { Spent } from "./fetch-path.ts";

export interface QuotaWiring {
  readonly clock: Clock;
  readonly emit: (type: string, fields: EventFields) => void;
  readonly catalog: Catalog;
  readonly produce: (request: ProduceRequest, signal?: AbortSignal) => Promise<ProduceResponse>;
  readonly fetch: (request: FetchRequest, signal: AbortSignal | undefined, spent: Spent) => Promise<FetchResponse>;
  /** What a fetch answers that has nothing to give. */
  readonly nothing: (request: FetchRequest) => readonly FetchedPartition[];
}

/** So many are remembered before those that have not been seen for a while are forgotten. */
const TENANT_COUNT = 1024;
/** A client that is throttled again and again is told of once: when it has been let alone for so long, again. */
const QUIET_MS: number = WINDOW_COUNT * WINDOW_MS;
const NO_BYTES: Bytes = new Uint8Array(0);

/** One client, by its id; those without one are one together, as Kafka's anonymous are. */
interface Tenant {
  readonly clientId: string;
  readonly meter: ClientMeter;
  readonly limits: Limits;
  /** Apart, as a client's producer and consumer have connections of their own. */
  readonly produces: Mute;
  readonly fetches: Mute;
  readonly told: Map<QuotaKey, number>;
  readonly mutedMs: Map<QuotaKey, number>;
}

export class QuotaService {
  readonly #wiring: QuotaWiring;
  readonly #tenants: Map<string, Tenant> = new Map();
  readonly #throttledMs: Map<QuotaKey, number> = new Map();
  #table: QuotaTable;
  #tenantCountMax = TENANT_COUNT;
  #isLifted = false;
  /** Whether requests must come by here: a quota is set, or someone still waits for the end of one. */
  isActive: boolean;

  constructor(wiring: QuotaWiring) {
    this.#wiring = wiring;
    this.#table = new QuotaTable(wiring.catalog.quotas());
    this.isActive = !this.#table.isEmpty;
  }

  /** Clients that are remembered. */
  get tenantCount(): number {
    return this.#tenants.size;
  }

  describe(): readonly ClientQuota[] {
    return this.#wiring.catalog.quotas();
  }

  /** Durable when it resolves, and holds for the next request of every client it is about. */
  async alter(clientId: unknown, quota: unknown): Promise<void> {
    const checked = checkQuotaChange(clientId, quota);
    await this.#wiring.catalog.changeQuotas((quotas) => changedQuotas(quotas, checked.clientId, checked.change));
    if (!this.#isLifted) this.#replace(new QuotaTable(this.#wiring.catalog.quotas()));
  }

  /** Not an async function: a batch that need not wait is written before it returns. */
  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    const tenant = this.#tenant(request.clientId);
    if (!tenant.produces.isHolding) return this.#produceNow(tenant, request, signal);
    // The lent memory is the producer's again when this returns. What waits is bounded by the producer's bufferMemory.
    const kept = { ...request, batch: request.batch.slice() };
    return inLine(tenant.produces, () => this.#produceNow(tenant, kept, signal), { signal });
  }

  /** A muted client's fetch is held as long as the mute and its `maxWaitMs` last; then it is answered, empty where the mute is longer. */
  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    const { clock, fetch, nothing } = this.#wiring;
    const { limits, fetches, meter } = this.#tenant(request.clientId);
    const deadlineMs = clock.monotonic() + request.maxWaitMs;
    if (fetches.isHolding && request.maxWaitMs > 0) await inLine(fetches, () => Promise.resolve(), { signal, waitMs: request.maxWaitMs });
    if (fetches.leftMs > 0) return { partitions: nothing(request), throttleTimeMs: fetches.leftMs };
    // A whole batch comes in any case; what is beyond the limit is held back.
    const maxBytes = Math.max(1, Math.min(request.maxBytes, meter.fetchable(limits, clock.monotonic())));
    const maxWaitMs = Math.max(0, deadlineMs - clock.monotonic());
    const spent: Spent = { ms: 0 };
    const answer = await fetch({ ...request, maxBytes, minBytes: Math.min(request.minBytes, maxBytes), maxWaitMs }, signal, spent);
    const byteLength = answer.partitions.reduce((sum, each) => sum + each.batches.byteLength, 0);
    const tenant = this.#tenant(request.clientId);
    const throttle = tenant.meter.fetched(tenant.limits, byteLength, spent.ms, clock.monotonic());
    this.#mute(tenant, tenant.fetches, throttle);
    const partitions = throttle.holdsBack ? answer.partitions.map(emptied) : answer.partitions;
    return { partitions, throttleTimeMs: throttle.throttleTimeMs };
  }

  /** Nobody waits any more, and nothing is counted: the log is about to close, and what its producers hold is to be written. */
  lift(): void {
    this.#isLifted = true;
    this.#replace(new QuotaTable([]));
  }

  close(error: unknown): void {
    for (const { produces, fetches } of this.#tenants.values()) {
      produces.cancelAll(error);
      fetches.cancelAll(error);
    }
    this.#tenants.clear();
  }

  metrics(): Record<string, number> {
    const nowMs = this.#wiring.clock.monotonic();
    const tenants = [...this.#tenants.values()];
    const metrics: Record<string, number> = {};
    for (const key of QUOTA_KEYS) {
      metrics[`quota.${key}.throttledMs`] = this.#throttledMs.get(key) ?? 0;
      metrics[`quota.${key}.throttledClients`] = tenants.filter(({ mutedMs }) => (mutedMs.get(key) ?? 0) > nowMs).length;
    }
    return metrics;
  }

  #produceNow(tenant: Tenant, request: ProduceRequest, signal: AbortSignal | undefined): Promise<ProduceResponse> {
    const { clock, produce } = this.#wiring;
    const { byteLength } = request.batch;
    const begunMs = clock.monotonic();
    const answer = produce(request, signal);
    const nowMs = clock.monotonic();
    const throttle = tenant.meter.produced(tenant.limits, byteLength, nowMs - begunMs, nowMs);
    this.#mute(tenant, tenant.produces, throttle);
    this.#retire();
    const { throttleTimeMs } = throttle;
    return throttleTimeMs === 0 ? answer : answer.then((response) => ({ ...response, throttleTimeMs }));
  }

  #mute(tenant: Tenant, mute: Mute, { throttleTimeMs, key }: Throttle): void {
    if (throttleTimeMs === 0) return;
    const nowMs = this.#wiring.clock.monotonic();
    const { clientId, told, mutedMs } = tenant;
    mute.begin(throttleTimeMs);
    mutedMs.set(key, nowMs + throttleTimeMs);
    this.#throttledMs.set(key, (this.#throttledMs.get(key) ?? 0) + throttleTimeMs);
    const isNews = nowMs >= (told.get(key) ?? 0);
    told.set(key, nowMs + throttleTimeMs + QUIET_MS);
    if (isNews) this.#wiring.emit("quota.throttled", { clientId, quota: key, limit: tenant.limits(key), throttleTimeMs });
  }

  #tenant(clientId = ""): Tenant {
    const known = this.#tenants.get(clientId);
    if (known !== undefined) return known;
    if (this.#tenants.size >= this.#tenantCountMax) this.#forgetIdle();
    const tenant: Tenant = {
      clientId,
      meter: new ClientMeter(),
      limits: (key) => this.#table.limit(clientId, key),
      produces: new Mute(this.#wiring.clock),
      fetches: new Mute(this.#wiring.clock),
      told: new Map(),
      mutedMs: new Map(),
    };
    this.#tenants.set(clientId, tenant);
    return tenant;
  }

  #forgetIdle(): void {
    const nowMs = this.#wiring.clock.monotonic();
    for (const [clientId, { meter, produces, fetches }] of this.#tenants)
      if (!produces.isHolding && !fetches.isHolding && meter.isIdle(nowMs)) this.#tenants.delete(clientId);
    this.#tenantCountMax = Math.max(TENANT_COUNT, 2 * this.#tenants.size);
  }

  /** Whoever has other limits now is heard at once, and judged by those. */
  #replace(table: QuotaTable): void {
    const before = this.#table;
    this.#table = table;
    this.isActive = true;
    for (const { clientId, produces, fetches } of this.#tenants.values()) {
      if (QUOTA_KEYS.every((key) => before.limit(clientId, key) === table.limit(clientId, key))) continue;
      produces.lift();
      fetches.lift();
    }
    this.#retire();
  }

  /** Requests go past here again when no quota is left, and nobody who came before them. */
  #retire(): void {
    if (!this.#table.isEmpty || [...this.#tenants.values()].some(({ produces }) => produces.isHolding)) return;
    this.isActive = false;
    this.#tenants.clear();
  }
}

function emptied(partition: FetchedPartition): FetchedPartition {
  return { ...partition, abortedTransactions: [], batches: NO_BYTES };
}
