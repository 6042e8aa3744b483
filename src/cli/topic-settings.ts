/** Topic settings as they are typed, `retentionMs=60000` or Kafka's `retention.ms=60000`, and as they are told. */
import type { TopicConfig } from "../api/topic.ts";
import { configTable } from "../topic/topic-config.ts";
import { parsePair } from "./typed-values.ts";

/** An unknown name is passed on: who checks settings names the nearest. */
export function parseSettings(pairs: readonly string[]): Record<string, unknown> {
  const settings = Object.create(null) as Record<string, unknown>;
  for (const pair of pairs) {
    const [typed, value] = parsePair(pair, "--config");
    const row = rowOf(typed);
    settings[row?.name ?? typed] = row === undefined ? value : settingOf(value, row.type);
  }
  return settings;
}

/** The face's name for a setting; the word itself where there is none. */
export function settingName(typed: string): string {
  return rowOf(typed)?.name ?? typed;
}

/** What differs from the defaults. */
export function configText(config: Readonly<TopicConfig>): string {
  const changed = configTable().filter(({ name, defaultValue }) => config[name] !== defaultValue);
  return changed.length === 0 ? "default settings" : changed.map(({ name }) => `${name}=${String(config[name])}`).join(" ");
}

function rowOf(typed: string): ReturnType<typeof configTable>[number] | undefined {
  return configTable().find(({ name, kafkaName }) => name === typed || kafkaName === typed);
}

function settingOf(value: string, type: "string" | "number" | "boolean"): unknown {
  if (type === "boolean" && (value === "true" || value === "false")) return value === "true";
  if (type === "number" && /^(-?[0-9]+(\.[0-9]+)?|Infinity)$/.test(value)) return Number(value);
  // As typed: the check says what was expected instead.
  return value;
}
