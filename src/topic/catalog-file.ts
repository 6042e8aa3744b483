/** The bytes of `odradek.json`: text a person can read, with a checksum over what it says. */
import type { ClientQuota } from "../api/broker.ts";
import type { Bytes } from "../api/bytes.ts";
import type { TopicConfig } from "../api/topic.ts";
import { OdradekError } from "../base/errors.ts";
import { isQuotaClient, isQuotaValue, QUOTA_KEYS } from "../base/quota-keys.ts";
import { reasonOf } from "../base/reason.ts";
import type { Core } from "../core/core.ts";
import { isTopicName } from "../log/files/file-names.ts";
import { bookCorrupt } from "../log/files/replace-file.ts";
import { CONFIG_NAMES, validateConfig } from "./topic-config.ts";
import { isTopicId } from "./topic-id.ts";

export const CATALOG_FILE = "odradek.json";
/** Two hundred thousand topics; a longer file is refused unread. */
export const CATALOG_BYTE_LENGTH_MAX: number = 64 * 1024 * 1024;
/** Of one topic: each partition is a directory with several files. */
export const PARTITION_COUNT_MAX = 100_000;

/** Of clients with a quota of their own. */
export const QUOTA_COUNT_MAX = 100_000;

export interface CatalogTopic {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: number;
  /** The settings that differ from the defaults. */
  readonly overrides: Readonly<Partial<TopicConfig>>;
  /** Another writer made the topic, and `adoptTopic` took it over. */
  readonly adopted: boolean;
}

export interface CatalogContents {
  readonly topics: readonly CatalogTopic[];
  /** Topics whose deletion is decided; their directories may still be there. */
  readonly deleting: readonly string[];
  /** No producer id from here on has been handed out. */
  readonly nextProducerId: bigint;
  /** At most one for a client, and one for all without. */
  readonly quotas: readonly ClientQuota[];
}

const VERSION = 1;
/** Producer ids are Kafka's int64. */
const PRODUCER_ID_MAX = 2n ** 63n - 1n;
/** JSON has no infinity. */
const INFINITY_TEXT = "Infinity";

/** Ordered by name, so that equal contents are equal bytes. */
export function encodeCatalog(contents: CatalogContents, core: Core): Bytes {
  const body = {
    version: VERSION,
    nextProducerIdBlock: String(contents.nextProducerId),
    topics: [...contents.topics].sort((left, right) => (left.name < right.name ? -1 : 1)).map(topicToJson),
    deleting: [...contents.deleting].sort(),
    // Left out where there are none: a catalogue without quotas is what it was before there were any.
    ...(contents.quotas.length === 0 ? {} : { quotas: [...contents.quotas].sort(byClient).map(quotaToJson) }),
  };
  const { version, ...rest } = body;
  return new TextEncoder().encode(`${JSON.stringify({ version, checksum: checksumOf(body, core), ...rest }, null, 2)}\n`);
}

/** Throws `BOOK_CORRUPT` for anything that `encodeCatalog` has not written, or that was changed since. */
export function decodeCatalog(bytes: Uint8Array, core: Core): CatalogContents {
  const wrong = (reason: string): never => {
    throw bookCorrupt(CATALOG_FILE, `${reason}. The file was left as it is; restore it from a backup`, [0, bytes.byteLength]);
  };
  const parsed = parse(bytes);
  if (!isObject(parsed)) return wrong(`expected the JSON of a catalogue, found ${bytes.byteLength} bytes that are none`);
  const { checksum, ...body } = parsed;
  if (body["version"] !== VERSION) return wrong(`expected version ${VERSION}, found ${excerptOf(body["version"])}`);
  const computed = checksumOf(body, core);
  if (checksum !== computed) return wrong(`computed checksum ${computed}, stored ${excerptOf(checksum)}`);
  try {
    return contentsOf(body);
  } catch (error) {
    return wrong(reasonOf(error));
  }
}

function topicToJson(topic: CatalogTopic): object {
  const config: Record<string, unknown> = {};
  for (const name of CONFIG_NAMES) {
    const value = topic.overrides[name];
    if (value !== undefined) config[name] = value === Number.POSITIVE_INFINITY ? INFINITY_TEXT : value;
  }
  return { name: topic.name, topicId: topic.topicId, partitions: topic.partitions, adopted: topic.adopted, config };
}

/** The default of all first. */
function byClient(left: ClientQuota, right: ClientQuota): number {
  if (left.clientId === null || right.clientId === null) return left.clientId === null ? -1 : 1;
  return left.clientId < right.clientId ? -1 : 1;
}

function quotaToJson({ clientId, quota }: ClientQuota): object {
  return { clientId, ...Object.fromEntries(QUOTA_KEYS.filter((key) => quota[key] !== undefined).map((key) => [key, quota[key]])) };
}

function quotasFromJson(quotas: unknown): ClientQuota[] {
  if (!Array.isArray(quotas) || quotas.length > QUOTA_COUNT_MAX) throw refusal("quotas: expected a list");
  const clients = new Set<unknown>();
  return quotas.map((json: unknown) => {
    if (!isObject(json)) throw refusal(`quotas: expected objects, found ${excerptOf(json)}`);
    const { clientId, ...values } = json;
    if (!isQuotaClient(clientId)) throw refusal(`quotas: expected a client id or null, found ${excerptOf(clientId)}`);
    if (clients.has(clientId)) throw refusal(`quotas: client ${excerptOf(clientId)} is named twice`);
    clients.add(clientId);
    const quota: { [P in (typeof QUOTA_KEYS)[number]]?: number } = {};
    for (const key of QUOTA_KEYS) {
      const value = values[key];
      if (value === undefined) continue;
      if (!isQuotaValue(value))
        throw refusal(`quotas: client ${excerptOf(clientId)}: ${key}: expected a number above 0, found ${excerptOf(value)}`);
      quota[key] = value;
    }
    const odd = Object.keys(values).find((name) => !(QUOTA_KEYS as readonly string[]).includes(name));
    if (odd !== undefined) throw refusal(`quotas: client ${excerptOf(clientId)}: ${JSON.stringify(odd)} is no quota`);
    return Object.freeze({ clientId, quota: Object.freeze(quota) });
  });
}

function contentsOf({ quotas = [], ...body }: Record<string, unknown>): CatalogContents {
  expectFields(body, ["version", "nextProducerIdBlock", "topics", "deleting"], "the catalogue");
  const { nextProducerIdBlock, topics, deleting } = body;
  if (
    typeof nextProducerIdBlock !== "string" ||
    !/^[0-9]{1,19}$/.test(nextProducerIdBlock) ||
    BigInt(nextProducerIdBlock) > PRODUCER_ID_MAX
  ) {
    throw refusal(`nextProducerIdBlock: expected a whole number as text, found ${excerptOf(nextProducerIdBlock)}`);
  }
  if (!Array.isArray(topics) || !Array.isArray(deleting)) throw refusal("topics, deleting: expected lists");
  const names = new Set<string>();
  for (const name of [...topics.map((topic: unknown) => (isObject(topic) ? topic["name"] : topic)), ...deleting]) {
    if (typeof name !== "string" || !isTopicName(name)) throw refusal(`expected a topic's name, found ${excerptOf(name)}`);
    if (names.has(name)) throw refusal(`topic "${name}" is named twice`);
    names.add(name);
  }
  return {
    topics: topics.map(topicFromJson),
    deleting: deleting as string[],
    nextProducerId: BigInt(nextProducerIdBlock),
    quotas: quotasFromJson(quotas),
  };
}

function topicFromJson(json: Record<string, unknown>): CatalogTopic {
  const name = json["name"] as string;
  expectFields(json, ["name", "topicId", "partitions", "adopted", "config"], `topic "${name}"`);
  const { topicId, partitions, adopted, config } = json;
  if (!isTopicId(topicId)) throw refusal(`topic "${name}": expected a topicId of 22 characters, found ${excerptOf(topicId)}`);
  if (!isPartitionCount(partitions))
    throw refusal(`topic "${name}": expected 1 to ${PARTITION_COUNT_MAX} partitions, found ${excerptOf(partitions)}`);
  if (typeof adopted !== "boolean" || !isObject(config)) throw refusal(`topic "${name}": expected "adopted" and "config"`);
  const overrides = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key, value === INFINITY_TEXT ? Number.POSITIVE_INFINITY : value]),
  );
  return { name, topicId, partitions, overrides: validateConfig(overrides), adopted };
}

export function isPartitionCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= PARTITION_COUNT_MAX;
}

/** CRC-32C of the contents without white space, names in alphabetical order: of what it says, not of how it is laid out. */
function checksumOf(body: Record<string, unknown>, core: Core): string {
  return core
    .crc32c(new TextEncoder().encode(canonical(body)))
    .toString(16)
    .padStart(8, "0");
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).sort();
  return `{${fields.map((field) => `${JSON.stringify(field)}:${canonical(value[field])}`).join(",")}}`;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function expectFields(json: Record<string, unknown>, fields: readonly string[], where: string): void {
  const odd = Object.keys(json).find((field) => !fields.includes(field)) ?? fields.find((field) => !Object.hasOwn(json, field));
  if (odd !== undefined)
    throw refusal(`${where}: expected the fields ${fields.join(", ")}; ${JSON.stringify(odd)} is none of them or is missing`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function excerptOf(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 80);
}

function refusal(reason: string): OdradekError {
  return new OdradekError("BOOK_CORRUPT", reason);
}
