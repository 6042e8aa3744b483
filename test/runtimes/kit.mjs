/**
 * As much of a test framework as a suite needs that runs where no framework does: a browser's worker, an edge isolate.
 * Tests are collected first and run one after another; what comes out is plain data.
 */

export class Kit {
  #tests = [];
  #path = [];

  describe = (name, body) => {
    this.#path.push(name);
    body();
    this.#path.pop();
  };

  it = (name, body) => {
    this.#tests.push({ name: [...this.#path, name].join(": "), body });
  };

  expect = (actual) => ({
    toEqual(expected) {
      if (!equal(actual, expected)) throw new Error(`expected ${shown(expected)}, found ${shown(actual)}`);
    },
  });

  get count() {
    return this.#tests.length;
  }

  /** `{ passed, failed: [{ name, problem }] }` */
  run() {
    return this.#run(this.#tests);
  }

  /** The same of the test with this number alone, from 0. */
  runOne(index) {
    return this.#run(this.#tests.slice(index, index + 1));
  }

  async #run(tests) {
    const failed = [];
    for (const { name, body } of tests) {
      try {
        await body();
      } catch (error) {
        failed.push({ name, problem: error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error) });
      }
    }
    return { passed: tests.length - failed.length, failed };
  }
}

/** Deep equality of plain data, arrays, typed arrays and what is equal by itself. A field that is undefined counts as missing. */
function equal(left, right) {
  if (Object.is(left, right)) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (ArrayBuffer.isView(left) || ArrayBuffer.isView(right) || Array.isArray(left) || Array.isArray(right)) {
    const isSameKind = Array.isArray(left) === Array.isArray(right) && ArrayBuffer.isView(left) === ArrayBuffer.isView(right);
    return isSameKind && left.length === right.length && Array.from(left).every((each, index) => equal(each, right[index]));
  }
  if (left instanceof Error || right instanceof Error) return false;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => equal(left[name], right[name]));
}

function shown(value) {
  const text = JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}n` : each)) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
