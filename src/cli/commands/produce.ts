/** `produce`: lines of standard input, or files, become records. */
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import type { CompressionType } from "../../api/bytes.ts";
import type { Producer, ProducerRecord } from "../../api/producer.ts";
import { bytes } from "../../base/serde.ts";
import { CommandLineError } from "../cli-error.ts";
import { withWritable } from "../directory.ts";
import { pieces } from "../input-lines.ts";
import type { CommandOptions, Io, Run } from "../io.ts";
import { parseDelimiter } from "../record-format.ts";
import { RecordReader } from "../record-reader.ts";
import { optionalNumber, takeTopic, textOf } from "../typed-values.ts";

type BytesRecord = ProducerRecord<Uint8Array, Uint8Array>;

/** One `sendBatch` holds no more; between two of them the input waits. */
const BATCH_RECORDS_MAX = 1000;
const BATCH_BYTES_MAX = 1024 * 1024;
const PROGRESS_MS = 500;

export const run: Run = async (args, options, io) => {
  const { topic, rest: files } = takeTopic(args, options);
  const reader = new RecordReader(topic, options);
  const delimiter = parseDelimiter(textOf(options, "delimiter") ?? "\\n");
  const countMax = optionalNumber(options, "count", "-c", 1) ?? Number.POSITIVE_INFINITY;
  if (options["lines"] === true && files.length === 0)
    throw new CommandLineError("-l: expected the files whose lines are to be sent, found none");
  return withWritable(options, io, async (log) => {
    await log.describeTopic(topic); // before a word of input is taken
    const compressionType = textOf(options, "compression") as CompressionType | undefined;
    const producer = log.producer({ key: bytes, value: bytes, compressionType });
    const sink = new Sink(producer, options, io);
    let left = countMax;
    for await (const found of input(files, options, io, delimiter)) {
      for (const piece of found.slice(0, left)) await sink.add(reader.record(piece.bytes, piece.where));
      left -= found.length;
      await sink.send();
      if (left <= 0 || io.signal.aborted) break;
    }
    await producer.close();
    sink.finish();
    return undefined;
  });
};

interface Piece {
  readonly bytes: Uint8Array;
  /** For a sentence about it. */
  readonly where: string;
}

/** Standard input cut into lines; with files, each whole, or with -l each cut into lines. */
async function* input(files: readonly string[], options: CommandOptions, io: Io, delimiter: Uint8Array): AsyncGenerator<Piece[]> {
  const byLines = files.length === 0 || options["lines"] === true || options["json"] === true;
  const sources = files.length === 0 ? ["-"] : files;
  for (const source of sources) {
    if (!byLines && source !== "-") {
      yield [{ bytes: await readFile(source), where: source }];
      continue;
    }
    const stream = source === "-" ? io.input : createReadStream(source);
    const name = source === "-" ? "input" : source;
    const stop = (): void => void stream.destroy();
    io.signal.addEventListener("abort", stop);
    let line = 0;
    try {
      for await (const found of pieces(stream, delimiter)) yield found.map((each) => ({ bytes: each, where: `${name}, line ${++line}` }));
    } catch (error) {
      if (!io.signal.aborted) throw error;
    } finally {
      io.signal.removeEventListener("abort", stop);
      stream.destroy();
    }
  }
}

/** Gathers records and sends them a batch at a time, so that input never runs ahead of the disk. */
class Sink {
  readonly #producer: Producer<Uint8Array, Uint8Array>;
  readonly #json: boolean;
  readonly #io: Io;
  #records: BytesRecord[] = [];
  #byteLength = 0;
  #sent = 0;
  #toldAt: number = performance.now();

  constructor(producer: Producer<Uint8Array, Uint8Array>, options: CommandOptions, io: Io) {
    this.#producer = producer;
    this.#json = options["json"] === true;
    this.#io = io;
  }

  async add(record: BytesRecord): Promise<void> {
    this.#records.push(record);
    this.#byteLength += (record.key?.byteLength ?? 0) + (record.value?.byteLength ?? 0);
    if (this.#records.length >= BATCH_RECORDS_MAX || this.#byteLength >= BATCH_BYTES_MAX) await this.send();
  }

  async send(): Promise<void> {
    if (this.#records.length === 0) return;
    const answers = await this.#producer.sendBatch(this.#records);
    this.#sent += this.#records.length;
    this.#records = [];
    this.#byteLength = 0;
    if (this.#json) for (const answer of answers) if (this.#io.out.json(answer)) await this.#io.out.ready();
    const now = performance.now();
    if (this.#io.isTerminal && now - this.#toldAt > PROGRESS_MS) {
      this.#toldAt = now;
      this.#io.note(`${this.#sent} records sent`);
    }
  }

  finish(): void {
    if (this.#io.isTerminal) this.#io.note(`${this.#sent} records sent`);
  }
}
