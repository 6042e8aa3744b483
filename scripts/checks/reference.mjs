/** Whether the API reference can be made without a complaint, and has words for every exported symbol and every setting. */
import { readReference } from "../docs/reference.mjs";

/**
 * Answers `{ problems, saw }`.
 * @param {string} root
 * @returns {Promise<{ problems: string[], saw: string }>}
 */
export async function check(root) {
  const { problems, symbolCount } = await readReference(root);
  if (symbolCount === 0) problems.push("the reference is empty");
  return { problems, saw: `${symbolCount} exported symbols` };
}
