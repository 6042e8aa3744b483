/** The program `odradek`, run as people run it. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { VERSION } from "../../src/cli/version.ts";
import {
  bundleProgram,
  directoryHash,
  type Ended,
  lines,
  objects,
  type Program,
  type RunOptions,
  removeProgram,
  runProgram,
} from "./program.ts";

let program: Program;
let folder: string;
let data: string;

beforeAll(async () => {
  program = await bundleProgram();
  folder = mkdtempSync(join(tmpdir(), "odradek-cli-data-"));
});
afterAll(() => {
  removeProgram(program);
  rmSync(folder, { recursive: true, force: true });
});
let count = 0;
beforeEach(() => {
  data = join(folder, `data-${count++}`);
});

function odradek(args: string, options: RunOptions = {}): Promise<Ended> {
  return runProgram(program, args === "" ? [] : args.split(" "), { ...options, env: { ODRADEK_DIR: data, ...options.env } });
}

async function ok(args: string, options: RunOptions = {}): Promise<string> {
  const ended = await odradek(args, options);
  expect(ended, args).toMatchObject({ code: 0, stderr: "" });
  return ended.stdout;
}

async function withOrders(recordCount: number): Promise<void> {
  await ok("topics create orders --partitions 2 --config segment.bytes=4000 -c indexIntervalBytes=200");
  await ok("produce orders -K :", { input: Array.from({ length: recordCount }, (_, index) => `k${index % 7}:value ${index}\n`).join("") });
}

describe("odradek", () => {
  it("tells its version, which is the package's", async () => {
    expect(VERSION).toBe((JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version);
    expect(await ok("--version")).toBe(`${VERSION}\n`);
  });

  it("shows help with examples without loading the engine", async () => {
    const help = await ok("--help");
    expect(help).toContain("Examples:");
    for (const command of ["topics", "produce", "consume", "tail", "groups", "dump", "verify", "repair", "backup"])
      expect(help).toContain(command);
    expect(await ok("consume --help")).toContain("odradek consume orders");
    const { outputs } = program.metafile;
    const reached = new Set<string>();
    const walk = (name: string): void => {
      if (reached.has(name)) return;
      reached.add(name);
      for (const each of outputs[name]?.imports ?? [])
        if (each.kind === "import-statement" && outputs[each.path] !== undefined) walk(each.path);
    };
    walk(Object.keys(outputs).find((name) => outputs[name]?.entryPoint === "src/cli.ts") as string);
    const inputs = [...reached].flatMap((name) => Object.keys(outputs[name]?.inputs ?? {}));
    expect(inputs).toContain("src/cli/program.ts");
    expect(inputs.filter((input) => /^src\/(engine|log|core|storage|index)/.test(input))).toEqual([]);
  });

  it("makes, tells of, changes and deletes topics", async () => {
    expect(await ok("topics create orders --partitions 2 --config retention.ms=60000")).toBe("created orders: 2 partitions\n");
    await ok("topics create orders --partitions 2 --config retentionMs=60000 --if-not-exists");
    expect(await odradek("topics create orders")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("TOPIC_ALREADY_EXISTS") as string,
    });
    await ok("topics alter -t orders --config cleanupPolicy=compact,delete --reset retentionMs --partitions 3");
    const [described] = objects(await ok("topics describe orders --json"));
    expect(described).toMatchObject({
      name: "orders",
      internal: false,
      config: { cleanupPolicy: "compact,delete", retentionMs: 604800000, retentionBytes: "Infinity" },
    });
    expect(described?.["partitions"]).toHaveLength(3);
    expect(await ok("topics list")).toBe("orders\n");
    expect(await ok("topics describe")).toContain("cleanupPolicy=compact,delete");
    expect(await ok("topics delete orders")).toBe("deleted orders\n");
    await ok("topics delete orders --if-exists");
    expect(await ok("topics list")).toBe("");
  });

  it("takes the directory from --dir, before or behind the command, else from ODRADEK_DIR, else ./data", async () => {
    await ok("topics create one");
    mkdirSync(join(folder, "cwd"), { recursive: true });
    expect((await odradek("topics create two", { env: { ODRADEK_DIR: "" }, cwd: join(folder, "cwd") })).code).toBe(0);
    const there = join(folder, "cwd/data");
    expect(await ok(`--dir ${there} topics list`)).toBe("two\n");
    expect(await ok(`topics list --dir ${there}`)).toBe("two\n");
    expect(await ok("topics list")).toBe("one\n");
  });

  it("brings back every record that went in, with key, headers, time and tombstones, through JSON lines", async () => {
    await ok("topics create first");
    await ok("topics create second");
    const given = [
      {
        key: "a",
        value: "text",
        headers: [
          ["h", "1"],
          ["h", null],
          ["b", { base64: "AAH/" }],
        ],
        timestamp: 1700000000000,
      },
      { key: { base64: "/wD+" }, value: { base64: "" }, timestamp: 5 },
      { key: null, value: null, timestamp: 0 },
    ];
    const answers = objects(await ok("produce first --json", { input: given.map((each) => JSON.stringify(each)).join("\n") }));
    expect(answers).toMatchObject([{ topic: "first", partition: 0, offset: 0, durability: "power" }, { offset: 1 }, { offset: 2 }]);
    const copied = await ok("consume first -e --json");
    await ok("produce second --json", { input: copied });
    const [there, back] = [objects(copied), objects(await ok("consume second -e --json"))];
    expect(back).toEqual(there.map((each) => ({ ...each, topic: "second" })));
    expect(back[0]).toMatchObject({
      key: { base64: "YQ==" },
      headers: [
        ["h", { base64: "MQ==" }],
        ["h", null],
        ["b", { base64: "AAH/" }],
      ],
      timestamp: 1700000000000,
    });
    expect(back[2]).toMatchObject({ key: null, value: null });
  });

  it("writes and reads json and msgpack", async () => {
    await ok("topics create values");
    const input = '{"a":[1,2.5,"x"]}\n"text"\n17\n';
    await ok("produce values --value msgpack", { input });
    expect(lines(await ok("consume values -e --value msgpack"))).toEqual(lines(input));
    expect(objects(await ok("consume values -e --json --value msgpack")).map((each) => each["value"])).toEqual([
      { a: [1, 2.5, "x"] },
      "text",
      17,
    ]);
    expect(await odradek("produce values --value json", { input: "no json\n" })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("input, line 1") as string,
    });
    expect(await odradek("consume values -e --value json")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("DESERIALIZATION_FAILED") as string,
    });
  });

  it("speaks kcat's words for reading", async () => {
    await ok("topics create t");
    await ok("produce t -K : -Z -H source=test", { input: "a:1\nb:2\nplain\nc:\nd:5" });
    expect(await ok("consume t -e")).toBe("1\n2\nplain\n\n5\n");
    expect(await ok("consume t -e -K = -Z")).toBe("a=1\nb=2\nNULL=plain\nc=NULL\nd=5\n");
    expect(await ok("consume t -e -o -2 -D ;")).toBe(";5;");
    expect(await ok("consume t -e -o 3 -c 1 -K :")).toBe("c:\n");
    expect(await ok("consume t -e -o end")).toBe("");
    expect(await ok("consume -t t -p 0 -e -o 1 -c 1 -f %t/%p/%o/%k/%K/%s/%S/%h%%\\x21\\n")).toBe("t/0/1/b/1/2/1/source=test%!\n");
    expect(await ok("tail t -n 2 -e")).toBe("\n5\n");
  });

  it("reads between two times", async () => {
    await ok("topics create t");
    await ok("produce t --json", {
      input: [10, 20, 30, 40].map((timestamp) => JSON.stringify({ value: String(timestamp), timestamp })).join("\n"),
    });
    expect(await ok("consume t -e -o @20")).toBe("20\n30\n40\n");
    expect(await ok("consume t -o s@20 -o e@40")).toBe("20\n30\n");
    expect(await ok("consume t -o s@2033-01-01T00:00:00Z -e")).toBe("");
  });

  it("reads as a member of a group, commits what was printed, and resets and forgets it", async () => {
    await withOrders(100);
    expect(lines(await ok("consume orders -G billing -e -c 30"))).toHaveLength(30);
    expect(lines(await ok("consume orders -G billing -e"))).toHaveLength(70);
    expect(await ok("consume orders -G billing -e")).toBe("");
    expect(await ok("groups list")).toBe("billing\n");
    const [group] = objects(await ok("groups describe billing --json")) as {
      offsets: { nextOffset: number; lag: number }[];
      state: string;
    }[];
    expect(group?.state).toBe("Empty");
    expect(group?.offsets.reduce((sum, each) => sum + each.nextOffset, 0)).toBe(100);
    expect(group?.offsets.every((each) => each.lag === 0)).toBe(true);
    expect(await ok("groups describe")).toContain("nextOffset");
    await ok("groups reset billing orders --to beginning");
    expect(lines(await ok("consume orders -G billing -e"))).toHaveLength(100);
    expect(objects(await ok("groups reset billing orders -p 1 --to 2 --json"))).toEqual([
      { groupId: "billing", topic: "orders", partition: 1, nextOffset: 2 },
    ]);
    expect(await odradek("groups reset billing orders --to 5000")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("OFFSET_OUT_OF_RANGE") as string,
    });
    await ok("groups delete billing");
    expect(await ok("groups list")).toBe("");
    expect((await odradek("groups describe billing")).code).toBe(1);
  });

  it("sends files: each as one record, or line by line", async () => {
    await ok("topics create t");
    const file = join(folder, "lines.txt");
    writeFileSync(file, "one\ntwo\n");
    await ok(`produce t ${file}`);
    await ok(`produce t -l ${file}`);
    expect(objects(await ok("consume t -e --json --value utf8")).map((each) => each["value"])).toEqual(["one\ntwo\n", "one", "two"]);
  });

  it("moves a hundred thousand records through both pipes", async () => {
    await ok("topics create big --config durability=os");
    const input = Array.from({ length: 100_000 }, (_, index) => `record number ${index}\n`).join("");
    await ok("produce big", { input });
    expect(await ok("consume big -e")).toBe(input);
  });

  it("ends quietly when its reader has enough", async () => {
    await ok("topics create big --config durability=os");
    await ok("produce big", { input: "a line of some length that fills the pipe\n".repeat(50_000) });
    for (const args of ["consume big -e", "consume big", "dump big --json"]) {
      expect(await odradek(args, { closeAfterBytes: 10 }), args).toMatchObject({ code: 0, stderr: "" });
    }
  });

  it("follows a topic that another process writes to, until it is stopped", async () => {
    await ok("topics create t");
    await ok("produce t", { input: "before\n" });
    let hasWritten: Promise<unknown> | null = null;
    const ended = await odradek("tail t", {
      onOutput: (text, kill) => {
        if (text === "before\n") hasWritten ??= ok("produce t", { input: "after\n" });
        if (text === "before\nafter\n") kill("SIGINT");
      },
    });
    await hasWritten;
    expect(ended).toEqual({ code: 0, stdout: "before\nafter\n", stderr: "" });
  });

  it("changes not one byte when it only looks", async () => {
    await withOrders(200);
    await ok("consume orders -G billing -e -c 10");
    const before = directoryHash(data);
    for (const args of [
      "topics list",
      "topics describe",
      "consume orders -e",
      "tail orders -e",
      "groups list",
      "groups describe billing",
      "dump",
      "verify",
      "repair",
    ]) {
      await ok(args);
      expect(directoryHash(data), args).toBe(before);
    }
    for (const args of ["topics describe nothing", "consume nothing -e", "dump nothing"])
      expect((await odradek(args)).code, args).not.toBe(0);
    expect(directoryHash(data)).toBe(before);
  });

  it("backs up a directory that opens, and verifies, as the first does", async () => {
    await withOrders(300);
    const copy = join(folder, "copy");
    expect(objects(await ok(`backup ${copy} --json`))[0]).toMatchObject({ directory: copy });
    expect(await ok(`verify ${copy}`)).toContain("no damage");
    expect(await ok(`consume orders -e -p 0 --dir ${copy}`)).toBe(await ok("consume orders -e -p 0"));
    expect((await odradek(`backup ${copy}`)).code).toBe(2);
  });

  it("refuses to write beside another writer, and names it", async () => {
    await withOrders(5);
    let second: Promise<Ended> | null = null;
    const first = await odradek("consume orders -G billing", {
      onOutput: (_, kill) => {
        second ??= odradek("produce orders", { input: "x\n" }).finally(() => kill("SIGINT"));
      },
    });
    expect(first.code).toBe(0);
    const refused = await (second as unknown as Promise<Ended>);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/^odradek: DIRECTORY_IN_USE: .* is open in process \d+/);
  });

  it("dumps every file of a directory that Kafka wrote, in objects that say what they are", async () => {
    cpSync("test/fixtures/golden/data-clean", data, { recursive: true });
    const dumped = objects(await ok("dump --json"));
    const types = new Set(dumped.map((each) => each["type"]));
    for (const type of [
      "file",
      "batch",
      "record",
      "indexEntry",
      "timeIndexEntry",
      "abortedTransaction",
      "snapshot",
      "producer",
      "leaderEpoch",
      "checkpoint",
      "properties",
      "cleanShutdown",
    ]) {
      expect(types, type).toContain(type);
    }
    expect(dumped.filter((each) => each["unknown"] === true)).toEqual([]);
    expect(dumped.filter((each) => each["type"] === "batch")).toHaveLength(14);
    expect(dumped.filter((each) => each["type"] === "snapshot").every((each) => each["checksumHolds"] === true)).toBe(true);
    expect(lines(await ok(`dump ${join(data, "orders-0/00000000000000000016.index")}`))[0]).toContain("00000000000000000016.index");
  });

  it("decodes what groups have committed, and our own sidecars", async () => {
    await withOrders(1500);
    await ok("consume orders -G billing -e");
    const dumped = objects(await ok("dump --json"));
    expect(dumped.some((each) => (each["decoded"] as { groupId?: string } | undefined)?.groupId === "billing")).toBe(true);
    for (const type of ["seal", "stateSlot", "catalog"])
      expect(
        dumped.some((each) => each["type"] === type),
        type,
      ).toBe(true);
  });

  it.each([["data-clean"], ["data-crash"], ["data-torn"], ["data-torn-recovered"]])("finds no damage in Kafka's own %s", async (name) => {
    expect(await ok(`verify test/fixtures/golden/${name}`)).toContain("no damage");
  });

  it("mends a directory that Kafka left in a crash, and leaves Kafka's topics unadopted", async () => {
    cpSync("test/fixtures/golden/data-crash", data, { recursive: true });
    const log = join(data, "orders-0/00000000000000000000.log");
    const bytes = readFileSync(log);
    bytes.writeUInt8((bytes[200] as number) ^ 4, 200);
    writeFileSync(log, bytes);
    expect(await odradek("verify")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("bytes 102 to 204 (offsets 2 to 3)") as string,
    });
    await ok("repair --execute");
    expect(readFileSync(join(data, "orders-0/00000000000000000000.damaged-102"))).toEqual(bytes.subarray(102, 204));
    expect(await ok("verify")).toContain("no damage");
    expect(await odradek("topics alter orders --config retentionMs=1")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("TOPIC_NOT_ADOPTED") as string,
    });
  });

  it("finds damage, says what it would do, does it when told, and loses nothing that could be read", async () => {
    await withOrders(1500);
    const before = lines(await ok("consume orders -e"));
    const log = join(data, "orders-0/00000000000000000000.log");
    const bytes = readFileSync(log);
    bytes.writeUInt8((bytes[1000] as number) ^ 1, 1000);
    writeFileSync(log, bytes);
    const found = await odradek("verify --json");
    expect(found.code).toBe(1);
    const [defect] = objects(found.stdout).filter((each) => each["type"] === "defect");
    expect(defect).toMatchObject({
      file: "orders-0/00000000000000000000.log",
      remedy: expect.stringContaining("odradek repair") as string,
    });
    const hash = directoryHash(data);
    const dry = await odradek("repair");
    expect(dry).toMatchObject({ code: 1, stderr: expect.stringContaining("--execute") as string });
    expect(dry.stdout).toMatch(/^would do: orders-0\/0{20}\.log: copies bytes \d+ to \d+/);
    expect(directoryHash(data)).toBe(hash);
    expect(await ok("repair --execute")).toMatch(/mended\n$/);
    expect(await ok("verify")).toContain("no damage");
    const after = new Set(lines(await ok("consume orders -e")));
    const lost = before.filter((line) => !after.has(line)).length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(before.length / 2);
    expect([...after].every((line) => before.includes(line))).toBe(true);
    expect(await ok("repair --execute")).toContain("nothing to mend");
  });

  it("prints no colours, NO_COLOR or not", async () => {
    for (const env of [{}, { FORCE_COLOR: "1" }, { NO_COLOR: "1" }]) {
      const { stdout, stderr } = await odradek("topics nothing", { env: env as Record<string, string> });
      expect(stdout + stderr).not.toContain("\u001b");
    }
  });
});

describe("a command line that is wrong", () => {
  let shared: string;
  beforeAll(async () => {
    shared = data = join(folder, "shared");
    await ok("topics create t --partitions 2");
  });
  beforeEach(() => {
    data = shared;
  });

  it.each([
    ["topcs list", 2, "Did you mean topics?"],
    ["topics lst", 2, "Did you mean list?"],
    ["topics", 2, "Usage:"],
    ["", 2, "Usage:"],
    ["consume t --jsn", 2, "Did you mean --json?"],
    ["consume", 2, "expected a topic"],
    ["consume t extra -e", 2, "too many arguments"],
    ["consume t -e -p 7", 2, "partitions 0 to 1"],
    ["consume t -e -p x", 2, "expected a whole number"],
    ["consume t -e -c 0", 2, "from 1 to"],
    ["consume t -e -o yesterday", 2, "-o: expected"],
    ["consume t -e -f %z", 2, "%z stands for nothing"],
    ["consume t -e --value xml", 2, "Allowed choices are"],
    ["consume t -e -o", 2, "argument missing"],
    ["consume t -G g -p 0", 2, "leave out -p or -G"],
    ["consume u -e", 1, "UNKNOWN_TOPIC_OR_PARTITION"],
    ["produce t -p 9", 1, "expected a partition"],
    ["produce t -H novalue", 2, "name=value"],
    ["produce t -z brotli", 2, "Allowed choices are none, gzip, snappy, lz4, zstd"],
    ["produce t nofile.txt", 1, "ENOENT"],
    ["topics create ../x", 2, "INVALID_TOPIC_EXCEPTION"],
    ["topics create CON", 2, "INVALID_TOPIC_EXCEPTION"],
    [`topics create ${"x".repeat(250)}`, 2, "INVALID_TOPIC_EXCEPTION"],
    ["topics create __proto__ --config __proto__=1", 2, "UNKNOWN_CONFIG"],
    ["topics create a --partitions 0", 2, "--partitions"],
    ["topics create a --config retentionMss=1", 2, "did you mean retentionMs?"],
    ["topics create a --config retentionMs=soon", 2, "INVALID_CONFIG"],
    ["topics create a --config retentionMs", 2, "name=value"],
    ["topics alter t", 2, "expected --config"],
    ["topics adopt t", 2, "expected --partitions"],
    ["groups reset g", 2, "expected a group"],
    ["groups delete", 2, "missing required argument"],
    ["groups describe nobody", 1, "GROUP_ID_NOT_FOUND"],
    ["backup", 2, "missing required argument"],
    ["dump nothing", 2, "neither a file nor a directory nor a topic"],
    ["verify nowhere", 2, "no data directory"],
    ["topics list --dir package.json", 2, "NOT_A_DIRECTORY"],
    ["verify package.json", 2, "NOT_A_DIRECTORY"],
    ["repair --dir nowhere", 2, "no data directory"],
  ])("%s: exit %d, and a sentence", async (args, code, sentence) => {
    const ended = await odradek(args, { input: "a record\n" });
    expect(ended.stderr).toContain(sentence);
    expect(ended.code).toBe(code);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    if (!sentence.startsWith("Usage")) expect(lines(ended.stderr)).toHaveLength(1);
  });

  it("is told in an object with --json, and with a stack only when asked", async () => {
    const { stderr, code } = await odradek("consume u -e --json");
    expect(code).toBe(1);
    expect(objects(stderr)).toMatchObject([
      { error: { code: "UNKNOWN_TOPIC_OR_PARTITION", message: expect.stringContaining("there is no topic") as string } },
    ]);
    expect((await odradek("consume u -e", { env: { ODRADEK_DEBUG: "1" } })).stderr).toMatch(/^\s+at /m);
  });

  it("does not take garbage for a log", async () => {
    data = `${shared}-garbage`;
    cpSync(shared, data, { recursive: true });
    mkdirSync(join(data, "garbage-0"));
    for (const name of [
      "00000000000000000000.log",
      "00000000000000000000.index",
      "odradek.state",
      "partition.metadata",
      "leader-epoch-checkpoint",
    ]) {
      writeFileSync(
        join(data, "garbage-0", name),
        "this is no file of Kafka's, but it is long enough to look at as if it were one\n".repeat(3),
      );
    }
    writeFileSync(join(data, "recovery-point-offset-checkpoint"), "nonsense");
    const found = await odradek("verify");
    expect(found.code).toBe(1);
    for (const file of [
      "00000000000000000000.log",
      "odradek.state",
      "partition.metadata",
      "leader-epoch-checkpoint",
      "recovery-point-offset-checkpoint",
    ]) {
      expect(found.stdout, file).toContain(file);
    }
    expect((await odradek("dump --json")).code).toBe(1);
  });

  it("does not believe a damaged catalogue, and says what to do", async () => {
    data = `${shared}-catalogue`;
    cpSync(shared, data, { recursive: true });
    const file = join(data, "odradek.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"partitions": 2', '"partitions": 1'));
    expect(await odradek("topics list")).toMatchObject({ code: 1, stderr: expect.stringContaining("BOOK_CORRUPT") as string });
    expect(await odradek("verify")).toMatchObject({ code: 1, stdout: expect.stringContaining("restore it from a backup") as string });
    expect(await odradek("repair --execute")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("cannot be mended here") as string,
    });
  });
});
