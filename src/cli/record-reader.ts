/** Makes records of what `produce` reads: plain lines by kcat's switches, or JSON lines in the face's field names. */
import type { HeaderInput } from "../api/bytes.ts";
import type { ProducerRecord } from "../api/producer.ts";
import { DataError } from "./cli-error.ts";
import type { CommandOptions } from "./io.ts";
import { bytesOfJson, jsonText } from "./json-text.ts";
import { parseDelimiter } from "./record-format.ts";
import { bytesOfField, bytesOfLine, parseJson, type SerdeName } from "./shown-value.ts";
import { listOf, optionalNumber, parsePair, textOf } from "./typed-values.ts";

type BytesRecord = ProducerRecord<Uint8Array, Uint8Array>;

/** `offset` and `durability` are what `consume --json` and `produce --json` say of a record that is written: read over. */
const FIELDS: ReadonlySet<string> = new Set(["topic", "partition", "offset", "timestamp", "key", "value", "headers", "durability"]);

export class RecordReader {
  readonly #topic: string;
  readonly #keySerde: SerdeName;
  readonly #valueSerde: SerdeName;
  readonly #keyDelimiter: Buffer | null;
  readonly #fixedKey: Uint8Array | null;
  readonly #headers: readonly HeaderInput[];
  readonly #partition: number | undefined;
  readonly #timestamp: number | undefined;
  readonly #emptyIsNull: boolean;
  readonly #json: boolean;

  constructor(topic: string, options: CommandOptions) {
    this.#topic = topic;
    this.#keySerde = (options["key"] as SerdeName | undefined) ?? "bytes";
    this.#valueSerde = (options["value"] as SerdeName | undefined) ?? "bytes";
    const keyDelimiter = textOf(options, "keyDelimiter");
    this.#keyDelimiter = keyDelimiter === undefined ? null : Buffer.from(parseDelimiter(keyDelimiter));
    const fixedKey = textOf(options, "fixedKey");
    this.#fixedKey = fixedKey === undefined ? null : bytesOfLine(Buffer.from(fixedKey), this.#keySerde, "-k");
    this.#headers = listOf(options, "header").map((typed) => parsePair(typed, "-H"));
    this.#partition = optionalNumber(options, "partition", "-p", 0);
    this.#timestamp = optionalNumber(options, "timestamp", "--timestamp", -1);
    this.#emptyIsNull = options["null"] === true;
    this.#json = options["json"] === true;
  }

  /** `where` is for a sentence about what cannot be read. */
  record(piece: Uint8Array, where: string): BytesRecord {
    return this.#json ? this.#jsonRecord(Buffer.from(piece).toString("utf8"), where) : this.#plainRecord(Buffer.from(piece), where);
  }

  #plainRecord(line: Buffer, where: string): BytesRecord {
    let keyBytes: Uint8Array | null = null;
    let valueBytes: Buffer = line;
    const at = this.#keyDelimiter === null ? -1 : line.indexOf(this.#keyDelimiter);
    if (at >= 0 && this.#keyDelimiter !== null) {
      keyBytes = line.subarray(0, at);
      valueBytes = line.subarray(at + this.#keyDelimiter.byteLength);
    }
    const isNull = (bytes: Uint8Array): boolean => this.#emptyIsNull && bytes.byteLength === 0;
    const key = keyBytes === null ? this.#fixedKey : isNull(keyBytes) ? null : bytesOfLine(keyBytes, this.#keySerde, `${where}: key`);
    const value = isNull(valueBytes) ? null : bytesOfLine(valueBytes, this.#valueSerde, `${where}: value`);
    return this.#made({ key, value, headers: this.#headers, partition: undefined, timestamp: undefined });
  }

  #jsonRecord(text: string, where: string): BytesRecord {
    const parsed = parseJson(text, where);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
      throw wrong(
        `${where}: expected an object with "value" and perhaps "key", "headers", "partition", "timestamp"; found ${text.slice(0, 80)}`,
      );
    }
    const record = parsed as Record<string, unknown>;
    const odd = Object.keys(record).find((field) => !FIELDS.has(field));
    if (odd !== undefined) throw wrong(`${where}: there is no field ${JSON.stringify(odd)}; the fields are ${[...FIELDS].join(", ")}`);
    if (record["value"] === undefined) throw wrong(`${where}: expected a field "value"; null is a tombstone`);
    const key = record["key"] === undefined ? this.#fixedKey : bytesOfField(record["key"], this.#keySerde, `${where}: key`);
    const value = bytesOfField(record["value"], this.#valueSerde, `${where}: value`);
    const headers = [...this.#headers, ...headersOf(record["headers"], where)];
    return this.#made({
      key,
      value,
      headers,
      partition: numberOf(record, "partition", where),
      timestamp: numberOf(record, "timestamp", where),
    });
  }

  #made(record: Omit<BytesRecord, "topic">): BytesRecord {
    return {
      ...record,
      topic: this.#topic,
      partition: this.#partition ?? record.partition,
      timestamp: this.#timestamp ?? record.timestamp,
    };
  }
}

function numberOf(record: Record<string, unknown>, field: string, where: string): number | undefined {
  const value = record[field];
  if (value === undefined || value === null || typeof value === "number") return value ?? undefined;
  throw wrong(`${where}: ${field}: expected a number, found ${jsonText(value).slice(0, 80)}`);
}

function headersOf(given: unknown, where: string): HeaderInput[] {
  if (given === undefined || given === null) return [];
  const isHeader = (each: unknown): each is [string, unknown] => Array.isArray(each) && each.length === 2 && typeof each[0] === "string";
  if (!Array.isArray(given) || !given.every(isHeader)) {
    throw wrong(`${where}: headers: expected [["name", value], …], found ${jsonText(given).slice(0, 80)}`);
  }
  return given.map(([name, value]) => {
    const bytes = bytesOfJson(value);
    if (bytes !== null) return [name, bytes];
    if (value === null || typeof value === "string") return [name, value];
    throw wrong(`${where}: header ${JSON.stringify(name)}: expected a text, {"base64": …} or null, found ${jsonText(value).slice(0, 80)}`);
  });
}

function wrong(message: string): DataError {
  return new DataError(message, "SERIALIZATION_FAILED");
}
