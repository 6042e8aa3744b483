/** One Kafka broker (its own controller) on loopback, its directory ours to look into and change while it is stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { projectRoot } from "../../../scripts/run.mjs";
import { client, java, javaArguments } from "./rig.ts";

const startMsMax = 60_000;
const stopMsMax = 60_000;

export class Broker {
  /** What `log.dirs` names. */
  readonly logDirectory: string;
  readonly bootstrap: string;
  readonly #directory: string;
  readonly #serverLog: string;
  #process: ChildProcess | null = null;

  private constructor(directory: string, bootstrap: string) {
    this.#directory = directory;
    this.bootstrap = bootstrap;
    this.logDirectory = join(directory, "data");
    this.#serverLog = join(directory, "server.log");
  }

  /** Formats a directory for a broker; nothing runs yet. */
  static async create(directory: string, further: Readonly<Record<string, string | number>> = {}): Promise<Broker> {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const [port, controllerPort] = await Promise.all([freePort(), freePort()]);
    const broker = new Broker(directory, `127.0.0.1:${port}`);
    const settings = {
      "process.roles": "broker,controller",
      "node.id": 1,
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
      "controller.listener.names": "CONTROLLER",
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "log.dirs": broker.logDirectory,
      "offsets.topic.replication.factor": 1,
      "transaction.state.log.replication.factor": 1,
      "transaction.state.log.min.isr": 1,
      "share.coordinator.state.topic.replication.factor": 1,
      "share.coordinator.state.topic.min.isr": 1,
      "group.initial.rebalance.delay.ms": 0,
      "auto.create.topics.enable": false,
      // The records of the tests are years old.
      "log.retention.ms": -1,
      ...further,
    };
    const text = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(broker.#settings, text.join(""));
    await java("kafka.tools.StorageTool", ["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", broker.#settings]);
    return broker;
  }

  get #settings(): string {
    return join(this.#directory, "server.properties");
  }

  /** Resolves when a client can ask it something. The log of an earlier run is set aside. */
  async start(): Promise<void> {
    rmSync(this.#serverLog, { force: true });
    const flags = ["-Xmx768m", `-Drig.log=${this.#serverLog}`, "-Drig.level=INFO"];
    const child = spawn("java", [...javaArguments(flags), "kafka.Kafka", this.#settings], {
      cwd: projectRoot,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (piece: Buffer) => (printed += piece.toString()));
    const end = Date.now() + startMsMax;
    while (!this.log().includes("started (kafka.server.KafkaRaftServer)")) {
      if (child.exitCode !== null)
        throw new Error(`the broker ended with ${child.exitCode}: ${printed.slice(-2000)}\n${this.log().slice(-4000)}`);
      if (Date.now() > end) throw new Error(`the broker did not start in ${startMsMax} ms: ${this.log().slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await client(this.bootstrap, "ready");
  }

  /** A clean stop: every log flushed, the marker written. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
    child.kill("SIGTERM");
    await ended;
    clearTimeout(timer);
  }

  /** As a power cut would, but for what the operating system still writes. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null) return;
    this.#process = null;
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** What this run of the broker has logged. */
  log(): string {
    try {
      return readFileSync(this.#serverLog, "utf8");
    } catch {
      return "";
    }
  }

  /**
   * Lines in which this run's storage tells of a log that it had to mend, its own metadata log apart. Producer state is read anew
   * at every start, also of the broker's own clean logs.
   */
  mendingLines(): string[] {
    return this.log()
      .split("\n")
      .filter((line) => storageLogger.test(line) && mending.test(line) && !line.includes("__cluster_metadata-0"))
      .filter((line) => !line.includes("Skipping recovery of") && !/producer state/i.test(line));
  }
}

/** The classes of Kafka that open, cut and rename logs, at the end of the lines that they log. */
const storageLogger =
  /\((?:org\.apache\.kafka\.storage\.internals\.\S+|kafka\.log\.\S+|kafka\.cluster\.\S+|kafka\.server\.ReplicaManager)\)$/;
const mending = /recover|truncat|rebuil|stray|corrupt|invalid/i;

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
