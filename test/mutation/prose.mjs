/** Tells Stryker to leave prose alone: the sentences of errors are for people, and may be improved without a test that says so. */

const isProse = (text) => /[a-z]/i.test(text) && text.includes(" ");

/** @param {{ node: { type: string, value?: string, quasis?: { value: { raw: string } }[] } }} path */
export function shouldIgnore({ node }) {
  const texts =
    node.type === "StringLiteral" ? [node.value] : node.type === "TemplateLiteral" ? node.quasis.map(({ value }) => value.raw) : [];
  return texts.some(isProse) ? "prose" : undefined;
}

export const strykerPlugins = [{ kind: "Ignore", name: "prose", value: { shouldIgnore } }];
