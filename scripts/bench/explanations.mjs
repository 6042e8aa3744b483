/**
 * bench/shortfalls.md: what is to be said of each budget and aim, should it fall short. A heading of the second level names one of them,
 * headings that follow each other share what stands below them; what is in braces is a figure that the recordings have to give.
 */

/**
 * @param {string} text
 * @returns {{ names: string[], template: string }[]} in their order
 */
export function explanationsOf(text) {
  const found = [];
  const seen = new Set();
  let names = [];
  let lines = [];
  const close = () => {
    const template = lines.join(" ").trim();
    if (template !== "") {
      found.push({ names, template });
      names = [];
    }
    lines = [];
  };
  for (const line of text.slice(Math.max(0, text.search(/^## /m))).split("\n")) {
    const name = /^## (.+)$/.exec(line)?.[1];
    if (name === undefined) {
      lines.push(line.trim());
      continue;
    }
    close();
    if (seen.has(name)) throw new Error(`bench/shortfalls.md: "${name}" is explained twice`);
    seen.add(name);
    names.push(name);
  }
  close();
  if (names.length > 0) throw new Error(`bench/shortfalls.md: nothing stands below "${names.join('", "')}"`);
  return found;
}
