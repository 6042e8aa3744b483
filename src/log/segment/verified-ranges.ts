/** Which byte ranges of a file this process has already checked: a short sorted list of intervals that never claims too much. */

/** Beyond this many intervals the smallest is forgotten: it is then checked again, which costs time and nothing else. */
export const INTERVAL_COUNT_MAX = 1024;

export class VerifiedRanges {
  /** start, end, start, end …: ascending, disjoint, not touching. */
  readonly #edges: number[] = [];

  covers(start: number, end: number): boolean {
    if (start >= end) return true;
    const at = this.#firstEndingAtOrBehind(start + 1);
    return at < this.#edges.length && (this.#edges[at] as number) <= start && end <= (this.#edges[at + 1] as number);
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const edges = this.#edges;
    const first = this.#firstEndingAtOrBehind(start);
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

  /** Where the first interval stands whose end is at or behind `position`. */
  #firstEndingAtOrBehind(position: number): number {
    let low = 0;
    let high = this.#edges.length >> 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#edges[middle * 2 + 1] as number) < position) low = middle + 1;
      else high = middle;
    }
    return low * 2;
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
