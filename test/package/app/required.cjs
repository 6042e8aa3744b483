/** A CommonJS program: the package by require(), every entry of it. */
const odradek = require("odradek");
for (const entry of ["opfs", "durable-object", "testing"]) {
  if (Object.keys(require(`odradek/${entry}`)).length === 0) throw new Error(`odradek/${entry} exports nothing`);
}

const directory = process.argv[2];
void (async () => {
  const { story } = await import("./story.mjs");
  const answer = await story(odradek, () => odradek.open(directory));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
})();
