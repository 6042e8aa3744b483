/** Which byte ranges of a file this process has already checked: a short sorted list of intervals that never claims too much. */

/** Beyond this many intervals the smallest is forgotten: it is then checked again, which costs time and nothing else. */
const INTERVAL_COUNT_MAX = 64;

export class VerifiedRanges {
  /** start, end, start, end …: ascending, disjoint, not touching. */
  readonly #edges: number[] = [];

  covers(start: number, end: number): boolean {
    const edges = this.#edges;
    for (let at = 0; at < edges.length; at += 2) {
      if ((edges[at] as number) <= start && end <= (edges[at + 1] as number)) return true;
    }
    return start >= end;
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const edges = this.#edges;
    let first = 0;
    while (first < edges.length && (edges[first + 1] as number) < start) first += 2;
    let past = first;
    while (past < edges.length && (edges[past] as number) <= end) past += 2;
    const low = past > first ? Math.min(start, edges[first] as number) : start;
    const high = past > first ? Math.max(end, edges[past - 1] as number) : end;
    edges.splice(first, past - first, low, high);
    if (edges.length > 2 * INTERVAL_COUNT_MAX) this.#forgetSmallest();
  }

  /** Nothing at or beyond `end` counts as checked any more: the file was cut there. */
  cutTo(end: number): void {
    const edges = this.#edges;
    while (edges.length > 0 && (edges[edges.length - 2] as number) >= end) edges.length -= 2;
    if (edges.length > 0) edges[edges.length - 1] = Math.min(end, edges[edges.length - 1] as number);
  }

  #forgetSmallest(): void {
    const edges = this.#edges;
    let smallest = 0;
    for (let at = 2; at < edges.length; at += 2) {
      const span = (edges[at + 1] as number) - (edges[at] as number);
      if (span < (edges[smallest + 1] as number) - (edges[smallest] as number)) smallest = at;
    }
    edges.splice(smallest, 2);
  }
}
