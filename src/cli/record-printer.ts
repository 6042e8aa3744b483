/** Prints records as `consume` and `tail` were asked to: lines, a format string, or JSON. */
import type { ConsumerRecord } from "../api/consumer.ts";
import type { CommandOptions } from "./io.ts";
import type { Output } from "./output.ts";
import { compileFormat, type Formatter, parseDelimiter } from "./record-format.ts";
import { decodeShown, type SerdeName, shownBytes } from "./shown-value.ts";
import { textOf } from "./typed-values.ts";

export type BytesRecord = ConsumerRecord<Uint8Array, Uint8Array>;

/** Printed for what is null, when asked for; else nothing is. */
const NULL_TEXT = new TextEncoder().encode("NULL");
const NO_TEXT = new Uint8Array(0);

export class RecordPrinter {
  readonly #out: Output;
  readonly #json: boolean;
  readonly #keySerde: SerdeName;
  readonly #valueSerde: SerdeName;
  readonly #format: Formatter;

  constructor(out: Output, options: CommandOptions) {
    this.#out = out;
    this.#json = options["json"] === true;
    this.#keySerde = (options["key"] as SerdeName | undefined) ?? "bytes";
    this.#valueSerde = (options["value"] as SerdeName | undefined) ?? "bytes";
    const nullText = options["null"] === true ? NULL_TEXT : NO_TEXT;
    const format = textOf(options, "format");
    this.#format = format === undefined ? lineFormat(options, nullText) : compileFormat(format, nullText);
  }

  /** Answers whether the output must be waited for. */
  print(record: BytesRecord): boolean {
    const where = `${record.topic}-${record.partition} at offset ${record.offset}`;
    if (this.#json) {
      const { topic, partition, offset, timestamp, headers } = record;
      const key = decodeShown(record.key, this.#keySerde, `${where}: key`);
      return this.#out.json({
        topic,
        partition,
        offset,
        timestamp,
        key,
        value: decodeShown(record.value, this.#valueSerde, where),
        headers,
      });
    }
    const key = shownBytes(record.key, this.#keySerde, `${where}: key`);
    return this.#out.bytes(...this.#format({ ...record, key, value: shownBytes(record.value, this.#valueSerde, where) }));
  }
}

function lineFormat(options: CommandOptions, nullText: Uint8Array): Formatter {
  const delimiter = parseDelimiter(textOf(options, "delimiter") ?? "\\n");
  const typed = textOf(options, "keyDelimiter");
  const keyDelimiter = typed === undefined ? null : parseDelimiter(typed);
  return ({ key, value }) =>
    keyDelimiter === null ? [value ?? nullText, delimiter] : [key ?? nullText, keyDelimiter, value ?? nullText, delimiter];
}
