/** Whether a request from outside is made of what requests are made of: each field by its name, before anyone acts on it. */
import { UsageError } from "../base/errors.ts";
import { describeValue } from "../base/options.ts";

type Rule = "text" | "number" | "index" | "flag" | "bytes" | "id" | "value" | "list" | "object";

const LIST_LENGTH_MAX = 1_000_000;
const TEXT_LENGTH_MAX = 32_767;
const DEPTH_MAX = 6;

/** By name, wherever it stands. Settings of topics and quotas are checked by their own tables, further in. */
const FIELDS: Readonly<Record<string, Rule>> = {
  acks: "value",
  assignment: "bytes",
  assignments: "list",
  at: "value",
  clientId: "text",
  batch: "bytes",
  cleanupPolicy: "value",
  commit: "flag",
  config: "value",
  directory: "text",
  durable: "flag",
  generation: "number",
  groupId: "value",
  groupInstanceId: "text",
  isolation: "text",
  leaderEpoch: "number",
  maxBytes: "number",
  maxWaitMs: "number",
  memberId: "text",
  members: "list",
  metadata: "value",
  minBytes: "number",
  name: "text",
  nextOffset: "number",
  offset: "number",
  offsets: "list",
  options: "value",
  partition: "index",
  partitions: "value",
  producerEpoch: "number",
  producerId: "id",
  protocolType: "text",
  protocols: "list",
  quota: "value",
  rebalanceTimeoutMs: "number",
  request: "object",
  requireStable: "flag",
  sessionTimeoutMs: "number",
  topic: "value",
  topicId: "value",
  topics: "list",
  totalCount: "value",
  transactionTimeoutMs: "number",
  transactionalId: "text",
};

const FITS: Readonly<Record<Rule, (value: unknown) => boolean>> = {
  text: (value) => typeof value === "string" && value.length <= TEXT_LENGTH_MAX,
  number: (value) => typeof value === "number" && !Number.isNaN(value),
  index: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  flag: (value) => typeof value === "boolean",
  bytes: (value) => value instanceof Uint8Array,
  id: (value) => Number.isSafeInteger(value) || (typeof value === "bigint" && BigInt.asIntN(64, value) === value),
  value: () => true,
  list: (value) => Array.isArray(value),
  object: (value) => typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array),
};

/**
 * Throws a `UsageError` `INVALID_REQUEST` for a field that is unknown or not what its name says. Null passes everywhere: whoever cannot do with it
 * says so. Ids of producers are bigints afterwards.
 */
export function checkRequest(call: string, names: readonly string[], values: unknown[]): void {
  if (values.length !== names.length) throw refused(call, `expected ${names.length} arguments, found ${values.length}`);
  for (const [index, name] of names.entries()) checkField(call, values as unknown as Record<string, unknown>, String(index), name, 0);
}

function checkField(call: string, holder: Record<string, unknown>, at: string, name: string, depth: number): void {
  const value = holder[at];
  const rule = Object.hasOwn(FIELDS, name) ? (FIELDS[name] as Rule) : null;
  if (rule === null || depth > DEPTH_MAX) throw refused(call, `expected no field ${describeValue(name)} there`);
  if (value === null || value === undefined) return;
  if (!FITS[rule](value)) throw refused(call, `${name}: found ${describeValue(value)}`);
  if (rule === "id") holder[at] = BigInt(value as number | bigint);
  else if (Array.isArray(value)) {
    if (value.length > LIST_LENGTH_MAX) throw refused(call, `${name}: found a list of ${value.length}`);
    for (const each of value) if (typeof each === "object" && each !== null) checkObject(call, each, depth);
  } else if (typeof value === "object" && !(value instanceof Uint8Array) && name !== "config" && name !== "quota") {
    checkObject(call, value as Record<string, unknown>, depth);
  }
}

function checkObject(call: string, object: Record<string, unknown>, depth: number): void {
  // Of options, the settings of a topic: they are checked where they are known.
  for (const name of Object.keys(object)) checkField(call, object, name, name, depth + 1);
}

function refused(call: string, found: string): UsageError {
  return new UsageError("INVALID_REQUEST", `${call}: a request that makes no sense: ${found}`);
}
