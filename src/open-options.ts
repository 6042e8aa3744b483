/** What `open` takes: the table that every given option is checked against. */
import type { Logger, OdradekEvent, OpenOptions } from "./api/odradek.ts";
import type { StorageDriver } from "./api/storage-driver.ts";
import type { TopicConfig } from "./api/topic.ts";
import {
  booleanOption,
  checkOptions,
  choiceOption,
  customOption,
  functionOption,
  integerOption,
  type OptionTable,
  objectOption,
  signalOption,
} from "./base/options.ts";
import { validateConfig } from "./topic/topic-config.ts";

const DRIVER_CALLS = [
  "open",
  "list",
  "createDirectory",
  "removeDirectory",
  "replace",
  "renameDirectory",
  "remove",
  "syncDirectory",
  "lock",
  "close",
];

type Checked = { [P in keyof OpenOptions]-?: Exclude<OpenOptions[P], undefined> };

const TABLE: OptionTable<Checked> = {
  storage: objectOption<StorageDriver>("a storage driver", ...DRIVER_CALLS),
  readOnly: booleanOption,
  attach: booleanOption,
  lock: choiceOption("auto", "socket"),
  allowNetworkFileSystem: booleanOption,
  offsetsFlushMs: integerOption(0, 3_600_000),
  maxUnflushedBytes: integerOption(4096, 2 ** 40),
  logCleanerDedupeBufferSize: integerOption(1 << 16, 2 ** 31),
  logCleanerIoMaxBytesPerSecond: integerOption(1, Number.POSITIVE_INFINITY),
  topicDefaults: customOption<Partial<TopicConfig>>("an object of topic settings", (value) => typeof value === "object" && value !== null),
  signal: signalOption,
  logger: objectOption<Logger>("a logger with debug, info, warn and error", "debug", "info", "warn", "error"),
  wasm: customOption<object>("a WebAssembly.Module or its bytes", (value) => typeof value === "object" && value !== null),
  onEvent: functionOption<(event: OdradekEvent) => void>(),
};

export interface CheckedOpenOptions extends Partial<Checked> {
  readonly readOnly: boolean;
  readonly lock: "auto" | "socket";
  readonly allowNetworkFileSystem: boolean;
  readonly offsetsFlushMs: number;
  readonly maxUnflushedBytes: number;
  readonly topicDefaults: Partial<TopicConfig>;
}

export function checkOpenOptions(given: unknown): CheckedOpenOptions {
  const options = checkOptions<Checked>(given, TABLE, "open()");
  return {
    ...options,
    readOnly: options.readOnly ?? false,
    lock: options.lock ?? "auto",
    allowNetworkFileSystem: options.allowNetworkFileSystem ?? false,
    offsetsFlushMs: options.offsetsFlushMs ?? 100,
    maxUnflushedBytes: options.maxUnflushedBytes ?? 8 * 1024 * 1024,
    topicDefaults: validateConfig(options.topicDefaults ?? {}),
  };
}
