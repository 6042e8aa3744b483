/**
 * `npm run docs`: docs/CONFIG.md and docs/ERRORS.md, made from the tables in the code, which a test holds them to; and the API reference,
 * made from the sources into build/reference.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, runNode } from "./run.mjs";

const build = await runNode("scripts/build.mjs");
if (build.code !== 0) {
  process.stderr.write(build.output);
  process.exit(build.code);
}
const { configTable } = await import("../build/js/topic/topic-config.js");
const { ERROR_CODES } = await import("../build/js/base/error-codes.js");
const { configPage, errorsPage } = await import("./docs/pages.mjs");
writeFileSync(join(projectRoot, "docs/CONFIG.md"), configPage(configTable()));
writeFileSync(join(projectRoot, "docs/ERRORS.md"), errorsPage(ERROR_CODES));

const { readReference } = await import("./docs/reference.mjs");
const { application, project, problems, symbolCount } = await readReference(projectRoot);
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (project === undefined || problems.length > 0) process.exit(1);
await application.generateDocs(project, join(projectRoot, "build/reference"));
process.stdout.write(`${symbolCount} exported symbols in build/reference/index.html\n`);
