/** Members ordered by load, where loads change while the order is in use. */

/**
 * A binary heap of (load, member) pairs in one number each. A member is put again whenever its load changes; pairs whose
 * load has passed are dropped when they come up. Ties go to the member with the lower index, so the result has one value.
 */
export class LoadHeap {
  readonly #keys: number[] = [];
  readonly #load: Int32Array;
  readonly #sign: 1 | -1;

  /** `first`: which end comes out. `load` is the live table, by member. */
  constructor(load: Int32Array, first: "least" | "most") {
    this.#load = load;
    this.#sign = first === "least" ? 1 : -1;
  }

  put(member: number): void {
    const keys = this.#keys;
    const key = this.#keyOf(member);
    let at = keys.push(key) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] as number;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  /** The member at the front, still in the heap; null: empty. */
  peek(): number | null {
    while (this.#keys.length > 0) {
      const key = this.#keys[0] as number;
      const member = ((key % this.#load.length) + this.#load.length) % this.#load.length;
      if (key === this.#keyOf(member)) return member;
      this.#removeFirst();
    }
    return null;
  }

  take(): number | null {
    const member = this.peek();
    if (member !== null) this.#removeFirst();
    return member;
  }

  #keyOf(member: number): number {
    return this.#sign * (this.#load[member] as number) * this.#load.length + member;
  }

  #removeFirst(): void {
    const keys = this.#keys;
    const key = keys.pop();
    if (key === undefined || keys.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= keys.length) break;
      if (child + 1 < keys.length && (keys[child + 1] as number) < (keys[child] as number)) child++;
      if ((keys[child] as number) >= key) break;
      keys[at] = keys[child] as number;
      at = child;
    }
    keys[at] = key;
  }
}
