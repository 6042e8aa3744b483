/** Apache Kafka on this machine's Java: one node, its own controller, on loopback, as its scripts would start it. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../../scripts/run.mjs";
import { anonymousMiB, freePort, listens, programOnPath } from "../server.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const library = join(root, "build/kafka/lib");
const logging = join(root, "test/compat/kafka/java/log4j2.xml");
const START_MS_MAX = 90_000;
const TOOL_MS_MAX = 180_000;
const FETCH_MS_MAX = 240_000;
/** What kafka-run-class gives a broker and a tool. */
const BROKER_FLAGS = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35"];
const TOOL_FLAGS = ["-Xmx512M", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"];

/** Why it cannot take part, or null. Fetches the jars by the pom of the compatibility suite when they are not there yet. */
export async function whyNot() {
  if (programOnPath("java") === null) return "Java is not installed";
  if (!existsSync(library) || readdirSync(library).length === 0) {
    const pom = join(root, "test/compat/kafka/pom.xml");
    const goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", `-DoutputDirectory=${library}`];
    const { code } = await run("mvn", ["-B", "-q", "-f", pom, ...goal], { timeoutMs: FETCH_MS_MAX }).catch(() => ({ code: 127 }));
    if (code !== 0) return "Apache Kafka's jars cannot be fetched";
  }
  return null;
}

export function version() {
  const jar = readdirSync(library).find((name) => name.startsWith("kafka-clients-"));
  return /-([\d.]+)\.jar$/.exec(jar ?? "")?.[1] ?? "";
}

export function javaVersion() {
  return /version "([^"]+)"/.exec(spawnSync("java", ["-version"], { encoding: "utf8" }).stderr)?.[1] ?? "";
}

/** Runs one of Kafka's tools to its end; answers what it printed. */
export async function tool(mainClass, args) {
  const { code, output } = await run("java", [...TOOL_FLAGS, ...common("tool", root), mainClass, ...args], { timeoutMs: TOOL_MS_MAX });
  if (code !== 0) throw new Error(`${mainClass} ${args.join(" ")} ended with ${code}: ${output.slice(-3000)}`);
  return output;
}

/** Formats `directory` and starts; `startMs` is the time from the start of the process until the port answers. */
export async function startBroker(directory) {
  mkdirSync(directory, { recursive: true });
  const [port, controllerPort] = [await freePort(), await freePort()];
  const settings = join(directory, "server.properties");
  const data = join(directory, "data");
  const lines = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": data,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "group.initial.rebalance.delay.ms": 0,
  };
  writeFileSync(
    settings,
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  await tool("kafka.tools.StorageTool", ["format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config", settings]);
  const started = performance.now();
  const child = spawn("java", [...BROKER_FLAGS, ...common("broker", directory), "kafka.Kafka", settings], {
    cwd: directory,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (printed = (printed + piece).slice(-4000)));
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() - started > START_MS_MAX) throw new Error(`the broker did not start: ${printed}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    startMs: performance.now() - started,
    pid: child.pid,
    bootstrap: `127.0.0.1:${port}`,
    memoryMiB: () => anonymousMiB(child.pid),
    /** Bytes of the segments of a topic's first partition. */
    storedBytes(topic) {
      const partition = join(data, `${topic}-0`);
      const segments = readdirSync(partition).filter((name) => name.endsWith(".log"));
      return segments.reduce((sum, name) => sum + statSync(join(partition, name)).size, 0);
    },
    async stop() {
      if (child.exitCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function common(name, directory) {
  const log = join(directory === root ? join(root, "build/bench") : directory, `${name}.log`);
  return ["-cp", join(library, "*"), `-Dlog4j2.configurationFile=${logging}`, `-Drig.log=${log}`, "-Drig.level=WARN"];
}
