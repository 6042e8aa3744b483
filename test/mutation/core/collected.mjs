/**
 * Stands where test/core imports vitest, when its tests are asked about a mutant: they are collected here, and run one by one.
 * Only what is said of every build is kept, since what is said of the TypeScript alone says nothing of the binary.
 */
import { GLOBAL_EXPECT, getState, JestAsymmetricMatchers, JestChaiExpect, JestExtend, setState } from "@vitest/expect";
import * as chai from "chai";

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

export const expect = (value, message) => chai.expect(value, message);
Object.assign(expect, chai.expect);
expect.getState = () => getState(expect);
expect.setState = (state) => setState(state, expect);
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true, writable: true });
expect.setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null });

/** @type {{ name: string, run: () => unknown }[]} */
export const tests = [];
let suite;

export function describe() {}
describe.each = (builds) => (name, body) => {
  for (const build of builds) {
    suite = name.replace(" (%s)", "");
    body(build);
    suite = undefined;
  }
};

export function it(name, run) {
  if (suite !== undefined) tests.push({ name: `${suite}: ${name}`, run });
}
