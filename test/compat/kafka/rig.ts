/** Kafka's jars and our Java programs, found, compiled and run: what every suite here stands on. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { projectRoot, run } from "../../../scripts/run.mjs";

/** What has not ended by then, told that nothing more is asked, is ended. */
const END_MS_MAX = 20_000;
const classPath: string = process.env.ODRADEK_KAFKA_CLASSPATH ?? "";
const logging = `-Dlog4j2.configurationFile=${fileURLToPath(new URL("java/log4j2.xml", import.meta.url))}`;

/** Arguments of `java` before the class's name. */
export function javaArguments(extra: readonly string[] = []): string[] {
  if (classPath === "") throw new Error("ODRADEK_KAFKA_CLASSPATH is not set: run `npm run test:kafka`, which finds the jars");
  return ["-cp", classPath, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", logging, ...extra];
}

/** Runs a Java program to its end; throws with what it printed unless it ended with 0. */
export async function java(mainClass: string, programArguments: readonly string[], timeoutMs = 120_000): Promise<string> {
  const { code, output } = await run("java", [...javaArguments(["-Xmx512m"]), mainClass, ...programArguments], {
    cwd: projectRoot,
    timeoutMs,
  });
  if (code !== 0) throw new Error(`java ${mainClass} ${programArguments.join(" ")} ended with ${code}: ${output.slice(-4000)}`);
  return output;
}

/** One task of Client.java; its JSON line. */
export async function client<T>(bootstrap: string, task: string, ...words: readonly (string | number)[]): Promise<T> {
  const output = await java("Client", [bootstrap, task, ...words.map(String)]);
  const line = output.trim().split("\n").at(-1) ?? "";
  return JSON.parse(line) as T;
}

export interface KafkaRecords {
  readonly recordCount: number;
  readonly batchCount: number;
  readonly unreadByteLength: number;
  readonly epochs: readonly number[];
  readonly hash: string;
}
export interface KafkaDump {
  readonly printed: string;
  readonly complained: string;
}

/**
 * kafka-dump-log 4.3 complains of every segment that does not begin at offset 0, Kafka's own included: "-1 is followed by" its first
 * offset. What it says beside that.
 */
export function withoutRolls(complained: string): string {
  return complained.replace(/^Non-consecutive offsets in .*\/0*(\d+)\.log\n {2}-1 is followed by \1\n/gm, "");
}

/** A Java program, kept running, that answers each line with one line of JSON, in order. */
export class AskedProgram {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #mainClass: string;
  #errors = "";

  constructor(mainClass: string, programArguments: readonly string[] = []) {
    this.#mainClass = mainClass;
    this.#process = spawn("java", [...javaArguments(["-Xmx1g"]), mainClass, ...programArguments], { cwd: projectRoot });
    const lines: Interface = createInterface({ input: this.#process.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
    this.#process.stderr.on("data", (piece: Buffer) => {
      this.#errors += piece.toString();
    });
  }

  /** Rejects with what the program says of a question that it could not answer. */
  async ask(question: string): Promise<unknown> {
    this.#process.stdin.write(`${question}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#mainClass}.java ended: ${this.#errors.slice(-4000)}`);
    const answer = JSON.parse(value as string) as { readonly error?: string };
    if (answer.error !== undefined) throw new Error(`Kafka's classes refuse ${question.slice(0, 1000)}: ${answer.error}`);
    return answer;
  }

  async close(): Promise<void> {
    this.#process.stdin.end();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), END_MS_MAX);
    await once(this.#process, "exit");
    clearTimeout(timer);
  }
}

/** Dump.java, kept running: one JVM reads thousands of files. */
export class KafkaReader {
  readonly #program: AskedProgram = new AskedProgram("Dump");

  /** What Kafka's record classes find in these .log files, every checksum checked. */
  async records(files: readonly string[]): Promise<KafkaRecords> {
    return (await this.#ask(["records", ...files])) as KafkaRecords;
  }

  /** What kafka-dump-log prints for these files, and what it complains of. */
  async dump(files: readonly string[], flags: readonly string[]): Promise<KafkaDump> {
    const { printed, complained } = (await this.#ask(["dump", "--files", files.join(","), ...flags])) as KafkaDump;
    return { printed: decode(printed), complained: decode(complained) };
  }

  /** Recovers a segment as a broker does that starts after a crash: its indexes made anew. Answers how many bytes it cut off as no batch. */
  async recover(directory: string, baseOffset: number, indexIntervalBytes: number, segmentIndexBytes: number): Promise<number> {
    const words = ["reindex", directory, String(baseOffset), String(indexIntervalBytes), String(segmentIndexBytes)];
    const { invalidByteLength } = (await this.#ask(words)) as { invalidByteLength: number };
    return invalidByteLength;
  }

  /** The same for a segment in which every byte is of a batch. */
  async reindex(directory: string, baseOffset: number, indexIntervalBytes: number, segmentIndexBytes: number): Promise<void> {
    const invalidByteLength = await this.recover(directory, baseOffset, indexIntervalBytes, segmentIndexBytes);
    if (invalidByteLength !== 0) throw new Error(`Kafka finds ${invalidByteLength} bytes of ${baseOffset} in ${directory} not valid`);
  }

  /**
   * Makes all that is derived of a partition's segments anew, in order, with one producer state, as a broker's recovery of the whole log
   * does: indexes, transaction indexes, a snapshot at each base offset and at the end. Answers the end.
   */
  async rebuild(directory: string, indexIntervalBytes: number, segmentIndexBytes: number): Promise<number> {
    const words = ["rebuild", directory, String(indexIntervalBytes), String(segmentIndexBytes)];
    const { invalidByteLength, endOffset } = (await this.#ask(words)) as { invalidByteLength: number; endOffset: number };
    if (invalidByteLength !== 0) throw new Error(`Kafka finds ${invalidByteLength} bytes in ${directory} not valid`);
    return endOffset;
  }

  close(): Promise<void> {
    return this.#program.close();
  }

  #ask(words: readonly string[]): Promise<unknown> {
    return this.#program.ask(words.join("\t"));
  }
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}
