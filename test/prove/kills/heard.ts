/** What the killed processes of one directory said: what they were about to do, and what was acknowledged. */

/** A partition as the last, undisturbed life read it: how many records, the first and last offset, and a hash over all of them. */
export interface FaceReading {
  readonly count: number;
  readonly first: number;
  readonly last: number;
  readonly hash: string;
}

const ACKNOWLEDGED = new Set(["ack", "commit", "committed", "put", "made", "trimmed"]);

export class Heard {
  /** By "topic-partition" and offset: the value that was acknowledged there. */
  readonly values: Map<string, Map<number, string>> = new Map();
  /** The last commit of group `killed` that was acknowledged, and those begun after it. */
  commits: number[] = [];
  hasCommitted = false;
  /** "t0:17" of every transaction that was begun, and whether it was to be committed, and was. */
  readonly transactions: Map<string, "abort" | "commit" | "committed"> = new Map();
  /** By key: the newest put that was acknowledged, and what was begun after it. */
  readonly puts: Map<string, { readonly offset: number; readonly value: string }> = new Map();
  readonly tries: Map<string, string[]> = new Map();
  /** How far along the topics are that come and go. */
  readonly topics: Map<string, "making" | "made" | "deleting" | "deleted"> = new Map();
  /** The highest log start that was asked for, and that was acknowledged. */
  trimTried = 0;
  trimmed = 0;
  /** What a life said that should not be. */
  readonly wrongs: string[] = [];
  /** Of this life: what it is about (working: something was acknowledged), how often it was refused something, what the undisturbed one read. */
  phase: "start" | "open" | "working" | "refused" | "closing" | "closed" = "start";
  errors: Map<string, number> = new Map();
  readings: Map<string, FaceReading> = new Map();

  /** How many lives there were so far. */
  lifeCount = 0;

  beginLife(): void {
    this.lifeCount += 1;
    this.phase = "start";
    this.errors = new Map();
    this.readings = new Map();
  }

  hear(line: string): void {
    const [word = "", ...rest] = line.split(" ");
    const [first = "", second = "", third = "", fourth = ""] = rest;
    if (this.phase === "open" && ACKNOWLEDGED.has(word)) this.phase = "working";
    switch (word) {
      case "open":
        this.phase = "open";
        break;
      case "closing":
      case "closed":
        this.phase = word;
        break;
      case "refused":
        this.phase = "refused";
        this.#count(rest.join(" "));
        break;
      case "error":
        this.#count(rest.join(" "));
        break;
      case "wrong":
        this.wrongs.push(JSON.parse(line.slice(6)) as string);
        break;
      case "ack":
        this.#acknowledge(`${first}-${second}`, Number(third), fourth);
        break;
      case "trying":
        this.commits.push(Number(first));
        break;
      case "commit":
        this.commits = [Number(first)];
        this.hasCommitted = true;
        break;
      case "begin":
        this.transactions.set(`${first}:${second}`, third as "abort" | "commit");
        break;
      case "committed":
        this.transactions.set(`${first}:${second}`, "committed");
        break;
      case "putting":
        this.tries.set(first, [...(this.tries.get(first) ?? []), second]);
        break;
      case "put":
        this.puts.set(first, { offset: Number(second), value: third });
        this.tries.delete(first);
        break;
      case "making":
      case "made":
      case "deleting":
      case "deleted":
        this.topics.set(first, word);
        break;
      case "trimming":
        this.trimTried = Math.max(this.trimTried, Number(first));
        break;
      case "trimmed":
        this.trimmed = Math.max(this.trimmed, Number(first));
        break;
      case "read":
        this.readings.set(`${first}-${second}`, {
          count: Number(third),
          first: Number(fourth),
          last: Number(rest[4]),
          hash: rest[5] ?? "",
        });
        break;
      default:
        throw new Error(`a life said "${line}", which nobody understands`);
    }
  }

  #acknowledge(partition: string, offset: number, value: string): void {
    let values = this.values.get(partition);
    if (values === undefined) {
      values = new Map();
      this.values.set(partition, values);
    }
    if (values.has(offset))
      this.wrongs.push(`C4: ${partition}: offset ${offset} was acknowledged twice: for ${values.get(offset)}, and for ${value}`);
    values.set(offset, value);
  }

  #count(error: string): void {
    this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
  }
}
