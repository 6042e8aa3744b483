/** What is seen while it runs: a bar where there is a terminal, a line a second where there is none. */
import { progress } from "@clack/prompts";

const REFRESH_MS = 250;
const PLAIN_LINE_MS = 1000;

export class Screen {
  #total;
  #loaded = 0;
  #counted = 0;
  #shown = 0;
  #startedMs = performance.now();
  #bar = null;
  #timer = null;
  #refreshing = Promise.resolve();

  #pace = "";
  #show = async () => {};

  constructor(total, recordsPerSecond) {
    this.#total = total;
    if (recordsPerSecond !== Number.POSITIVE_INFINITY) this.#pace = ` (paced at ${recordsPerSecond}; --rate Infinity lets go)`;
  }

  begin(log, topic, groupId) {
    if (process.stdout.isTTY) {
      this.#bar = progress({ max: this.#total });
      this.#bar.start("flights counted");
    }
    this.#show = async () => {
      const line = `${this.#line()} · lag ${await lagOf(log, topic, groupId)}`;
      if (this.#bar === null) console.log(line);
      else this.#bar.advance(this.#counted - this.#shown, line);
      this.#shown = this.#counted;
    };
    const refresh = () => {
      this.#refreshing = this.#refreshing.then(this.#show).catch(() => {});
    };
    refresh();
    this.#timer = setInterval(refresh, this.#bar === null ? PLAIN_LINE_MS : REFRESH_MS);
  }

  loaded(count) {
    this.#loaded = count;
  }

  counted(count) {
    this.#counted = count;
  }

  /** Idempotent. */
  async end() {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    await this.#refreshing;
    await this.#show();
    this.#bar?.stop(this.#line());
  }

  #line() {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    return `loaded ${this.#loaded} of ${this.#total} · counted ${this.#counted} · ${Math.round(this.#counted / seconds)} records/s${this.#pace}`;
  }
}

/** How far the group is behind, partition by partition. */
async function lagOf(log, topic, groupId) {
  const { partitions } = await log.describeTopic(topic);
  const begun = (await log.listGroups()).includes(groupId);
  const offsets = begun ? (await log.describeGroup(groupId)).offsets : [];
  return partitions
    .map(({ partition, highWatermark }) => highWatermark - (offsets.find((each) => each.partition === partition)?.nextOffset ?? 0))
    .join(" ");
}
