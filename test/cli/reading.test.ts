/** What the commands read and print in this very process: from where, how much, in which form, and of which files. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failureOf } from "../../src/cli/cli-error.ts";
import { pieces } from "../../src/cli/input-lines.ts";
import { jsonText } from "../../src/cli/json-text.ts";
import { type Said, say } from "./session.ts";

let directory = "";
const run = (line: string, input?: string): Promise<Said> => say(directory, line.split(" "), input === undefined ? {} : { input });
const out = async (line: string): Promise<string> => {
  const { code, out: printed, notes } = await run(line);
  expect(code, notes).toBe(0);
  return printed;
};

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "odradek-reading-"));
  await run("topics create orders");
  const records = [0, 1, 2, 3].map(
    (at) => `{"key":${at === 2 ? null : `"k${at}"`},"value":${at === 1 ? null : `"v${at}"`},"timestamp":${at * 1000}}`,
  );
  expect((await run("produce orders --json", `${records.join("\n")}\n`)).code).toBe(0);
});
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe("consume", () => {
  it("begins and ends where it is told", async () => {
    const offsets = async (where: string): Promise<string> => (await out(`consume orders -e -f %o ${where}`.trim())).trim();
    expect(await offsets("")).toBe("0123");
    expect(await offsets("-o beginning")).toBe("0123");
    expect(await offsets("-o end")).toBe("");
    expect(await offsets("-o 2")).toBe("23");
    expect(await offsets("-o 99")).toBe("0123");
    expect(await offsets("-o -1")).toBe("3");
    expect(await offsets("-o s@1000")).toBe("123");
    expect(await offsets("-o @9000")).toBe("");
    expect(await offsets("-o s@1000 -o e@3000")).toBe("12");
    expect(await offsets("-o e@1970-01-01T00:00:02Z")).toBe("01");
    expect(await offsets("-c 2")).toBe("01");
    expect(await offsets("-p 0")).toBe("0123");
    expect(await run("consume orders -e -o stored")).toMatchObject({ code: 2, notes: expect.stringContaining("only a group") as string });
    expect(await run("consume orders -e -p 7")).toMatchObject({ code: 2 });
    expect(await run("consume orders -e -o soon")).toMatchObject({
      code: 2,
      notes: expect.stringContaining("expected beginning") as string,
    });
    expect(await run("consume orders -e -o @soon")).toMatchObject({ code: 2, notes: expect.stringContaining("expected a time") as string });
  });

  it("prints keys behind a delimiter, and null as it is told", async () => {
    expect(await out("consume orders -e")).toBe("v0\n\nv2\nv3\n");
    expect(await out("consume orders -e -K :")).toBe("k0:v0\nk1:\n:v2\nk3:v3\n");
    expect(await out("consume orders -e -K : -Z")).toBe("k0:v0\nk1:NULL\nNULL:v2\nk3:v3\n");
    expect(await out("consume orders -e -D |")).toBe("v0||v2|v3|");
    expect(await out("tail orders -n 1 -e")).toBe("v3\n");
    expect((await say(directory, ["consume", "orders", "-e", "-K", ""])).code).toBe(2);
  });

  it("as a member of a group refuses what a group decides, and commits what it printed", async () => {
    expect(await run("consume orders -e -G g -p 0")).toMatchObject({ code: 2, notes: expect.stringContaining("hands out") as string });
    for (const where of ["5", "-1", "@5", "e@5"]) {
      expect(await run(`consume orders -e -G g -o ${where}`)).toMatchObject({
        code: 2,
        notes: expect.stringContaining("reads on") as string,
      });
    }
    expect(await out("consume orders -e -G g -c 3 -f %o")).toBe("012");
    expect(await out("consume orders -e -G g -f %o")).toBe("3");
    expect(await out("consume orders -e -G late -o end -f %o")).toBe("");
    expect(await run("groups reset g")).toMatchObject({ code: 2 });
    expect(await run("groups reset g orders --to 99")).toMatchObject({ code: 2 });
    expect(await out("groups reset g orders -p 0 --to 1 --json")).toContain('"nextOffset":1');
  });
});

describe("produce", () => {
  it("sends files whole or line by line, a file of its own for none, and stops at its count", async () => {
    await run("topics create files");
    const [one, two] = [join(directory, "one.txt"), join(directory, "two.txt")];
    writeFileSync(one, "a\nb\n");
    writeFileSync(two, "c\nd");
    expect((await run(`produce files ${one}`)).code).toBe(0);
    expect((await run(`produce files -l ${one} ${two} -c 3`)).code).toBe(0);
    expect((await run("produce files -", "e\n")).code).toBe(0);
    expect(await out("consume files -e -D |")).toBe("a\nb\n|a|b|c|e|");
    expect(await run("produce files -l")).toMatchObject({ code: 2, notes: expect.stringContaining("expected the files") as string });
    expect(await run(`produce files ${join(directory, "none.txt")}`)).toMatchObject({ code: 1 });
  });

  it("takes records of many thousands of lines in batches that fit", async () => {
    await run("topics create many");
    expect((await run("produce many", "x\n".repeat(2500))).code).toBe(0);
    expect((await out("consume many -e -f %o\\n -o -1")).trim()).toBe("2499");
  });
});

describe("input", () => {
  const cut = async (given: readonly (string | Buffer)[], delimiter: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const each of pieces(Readable.from(given), Buffer.from(delimiter))) found.push(...each.map(String));
    return found;
  };

  it("is cut at its delimiter, wherever the chunks end, and the last piece needs none", async () => {
    for (const given of [["ab", "c\r", "\nd\r\n", "e"], [Buffer.from("abc\r\nd\r\ne")]])
      expect(await cut(given, "\r\n")).toEqual(["abc", "d", "e"]);
    expect(await cut(["a\n", "b\n"], "\n")).toEqual(["a", "b"]);
  });

  it("without an end is refused, and not gathered until memory is full", async () => {
    const chunk = Buffer.alloc(16 << 20, 97);
    await expect(
      cut(
        Array.from({ length: 7 }, () => chunk),
        "\n",
      ),
    ).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  });
});

describe("quotas", () => {
  it("are set, told and taken back, in lines and in objects, and wrong words are refused", async () => {
    expect(await out("quotas set app --config producer_byte_rate=1000")).toContain("app: producerByteRate=1000");
    expect(await out("quotas set --default --config consumerByteRate=5 --json")).toContain('"clientId":null');
    expect(await out("quotas list")).toContain("default: consumerByteRate=5");
    expect(await out("quotas set app --reset producerByteRate")).toContain("app: no quota");
    for (const [words, told] of [
      ["quotas set app", "found none"],
      ["quotas set --config producerByteRate=1", "expected a client id"],
      ["quotas set app --config producerByteRate=much", "expected a number"],
      ["quotas set app --config producerByteRat=1", "did you mean"],
      ["quotas set app --config zzzzzzzzz=1", "there are"],
    ] as const) {
      expect(await run(words), words).toMatchObject({ code: 2, notes: expect.stringContaining(told) as string });
    }
  });
});

describe("what looks at files", () => {
  it("dumps a directory, a topic, a partition or a file, and says what it is not", async () => {
    const whole = await out("dump");
    for (const text of ["orders-0", "catalog", "stateSlot", "record"]) expect(whole).toContain(text);
    expect(await out("dump orders")).toContain('key="k0"');
    expect(await out("dump orders-0 --json")).toContain('"type":"batch"');
    const log = join(directory, "orders-0", readdirSync(join(directory, "orders-0")).find((name) => name.endsWith(".log")) as string);
    expect(await out(`dump ${log} --no-records`)).not.toContain("record offset");
    expect(await run("dump order")).toMatchObject({ code: 2, notes: expect.stringContaining('did you mean "orders"') as string });
    expect(await run("dump nothing-like-it-at-all")).toMatchObject({ code: 2, notes: expect.stringContaining("is neither") as string });
    const odd = join(directory, "odd.bin");
    writeFileSync(odd, "odd");
    expect(await out(`dump ${odd}`)).toContain("of no kind that is known here");
    rmSync(odd);
    writeFileSync(odd.replace("odd.bin", "00000000000000000007.log"), "rubbish that is no batch");
    expect((await run(`dump ${odd.replace("odd.bin", "00000000000000000007.log")}`)).out).toContain("damage position=0");
    rmSync(odd.replace("odd.bin", "00000000000000000007.log"));
  });

  it("verifies, and repairs nothing where nothing is broken", async () => {
    expect(await run("verify")).toMatchObject({ code: 0, out: expect.stringContaining("no damage") as string });
    expect(await out("verify --json")).toContain('"type":"summary"');
    expect(await run("repair")).toMatchObject({ code: 0 });
    const copy = mkdtempSync(join(tmpdir(), "odradek-copy-"));
    rmSync(copy, { recursive: true });
    expect(await out(`backup ${copy} --json`)).toContain('"directory"');
    expect(await run("backup")).toMatchObject({ code: 2 });
    rmSync(copy, { recursive: true, force: true });
  });
});

describe("in JSON", () => {
  it("numbers that it has none for are words, maps are objects", () => {
    expect(jsonText({ big: 7n, none: Number.NaN, map: new Map([["a", 1]]), bytes: new Uint8Array([1]) })).toBe(
      '{"big":"7","none":"NaN","map":{"a":1},"bytes":{"base64":"AQ=="}}',
    );
    expect(failureOf({ code: "X", message: "m", file: "f", holder: null })).toMatchObject({ details: { file: "f" }, exitCode: 1 });
    expect(failureOf(null)).toMatchObject({ code: "UNKNOWN_SERVER_ERROR", message: "null" });
  });
});
