/** `quotas list|set`: how much each client may send, read and use. */
import type { ClientQuota } from "../../api/broker.ts";
import type { QuotaKey } from "../../api/odradek.ts";
import { nearestName } from "../../base/nearest-name.ts";
import { QUOTA_KEYS } from "../../base/quota-keys.ts";
import { CommandLineError } from "../cli-error.ts";
import { withReadOnly, withWritable } from "../directory.ts";
import type { CommandOptions, Io, Run } from "../io.ts";
import { listOf, parsePair, refuseRest } from "../typed-values.ts";

/** Kafka's names, as its tools take them. */
const KAFKA_NAMES: Readonly<Record<string, QuotaKey>> = {
  producer_byte_rate: "producerByteRate",
  consumer_byte_rate: "consumerByteRate",
  request_percentage: "requestPercentage",
};

export const list: Run = async (_args, options, io) =>
  withReadOnly(options, io, async (log) => {
    for (const quota of await log.describeClientQuotas()) tell(quota, options, io);
    return undefined;
  });

export const set: Run = async (args, options, io) => {
  const [named, ...rest] = args;
  refuseRest(rest);
  const isDefault = options["default"] === true;
  if ((named === undefined) !== isDefault)
    throw new CommandLineError("quotas set: expected a client id, or --default for all that have none of their own");
  const changes: Partial<Record<QuotaKey, number | null>> = {};
  for (const pair of listOf(options, "config")) {
    const [name, value] = parsePair(pair, "--config");
    if (!/^[0-9]+(\.[0-9]+)?$/.test(value)) throw new CommandLineError(`--config ${name}: expected a number above 0, found "${value}"`);
    changes[keyOf(name)] = Number(value);
  }
  for (const name of listOf(options, "reset")) changes[keyOf(name)] = null;
  if (Object.keys(changes).length === 0) throw new CommandLineError("quotas set: expected --config name=value or --reset name, found none");
  const clientId = named ?? null;
  return withWritable(options, io, async (log) => {
    await log.alterClientQuotas(clientId, changes);
    const left = (await log.describeClientQuotas()).find((each) => each.clientId === clientId);
    tell(left ?? { clientId, quota: {} }, options, io);
    return undefined;
  });
};

function keyOf(typed: string): QuotaKey {
  const key = KAFKA_NAMES[typed] ?? QUOTA_KEYS.find((each) => each === typed);
  if (key !== undefined) return key;
  const near = nearestName(typed, QUOTA_KEYS);
  throw new CommandLineError(
    `there is no quota "${typed}"; ${near === null ? `there are ${QUOTA_KEYS.join(", ")}` : `did you mean "${near}"?`}`,
  );
}

function tell({ clientId, quota }: ClientQuota, options: CommandOptions, io: Io): void {
  if (options["json"] === true) return void io.out.json({ clientId, quota });
  const said = Object.entries(quota).map(([name, value]) => ` ${name}=${value}`);
  io.out.line(`${clientId ?? "default"}:${said.length === 0 ? " no quota" : said.join("")}`);
}
