/**
 * What is inside the tarball, in CycloneDX's JSON: npm's own list of what is installed here (`npm sbom`), cut down to the libraries that
 * are bundled into dist/vendor, with the tarball itself as the component and its core as a file of it. Nothing else ships.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

/** Who stands behind each file of dist/vendor, and whether we changed it. */
export const bundled = {
  "cli.js": { name: "commander", patches: null },
  "fflate.js": { name: "fflate", patches: null },
  "fzstd.js": { name: "fzstd", patches: "scripts/vendor/fzstd-patches.mjs" },
  "msgpackr.js": { name: "msgpackr", patches: "scripts/vendor/msgpackr-patches.mjs" },
};

/**
 * @param {string} root
 * @param {string} tarball
 * @returns {Promise<object>}
 */
export async function billOfMaterials(root, tarball) {
  const { code, output } = await run("npm", ["sbom", "--sbom-format", "cyclonedx", "--package-lock-only"], { cwd: root });
  const start = output.indexOf("{");
  if (code !== 0 || start === -1) throw new Error(`npm sbom failed:\n${output}`);
  const bill = JSON.parse(output.slice(start, output.lastIndexOf("}") + 1));
  const listed = await run("tar", ["-tzf", tarball]);
  const inside = [...listed.output.matchAll(/^package\/dist\/vendor\/([^/]+\.js)$/gm)].map(([, file]) => file);
  return cutDown(bill, inside, {
    name: JSON.parse(readFileSync(join(root, "package.json"), "utf8")).name,
    tarball: hashOf(tarball, "sha512"),
    core: hashOf(join(root, "dist/core.wasm"), "sha256"),
    // As scripts/build-vendor.mjs reads it: a tool may bring another version for itself.
    versionOf: (library) => JSON.parse(readFileSync(join(root, "node_modules", library, "package.json"), "utf8")).version,
    hasFile: (path) => existsSync(join(root, path)),
  });
}

/** Throws for a bundled file that nobody is named for, and for a library that npm does not list. */
export function cutDown(bill, inside, { name, tarball, core, versionOf, hasFile }) {
  const components = inside.map((file) => {
    const known = bundled[file];
    if (known === undefined) throw new Error(`dist/vendor/${file} ships, and scripts/release-sbom.mjs does not say whose work it is`);
    const version = versionOf(known.name);
    const component = bill.components.find((each) => each.name === known.name && each.version === version);
    if (component === undefined) throw new Error(`npm sbom lists no ${known.name} ${version}, which is bundled as dist/vendor/${file}`);
    if (known.patches !== null && !hasFile(known.patches)) throw new Error(`${known.patches}, the changes to ${known.name}, is not there`);
    const { properties: _, ...kept } = component;
    const notes = known.patches === null ? "bundled as published" : `bundled with the changes of ${known.patches}`;
    return { ...kept, scope: "required", pedigree: { notes }, properties: [{ name: "odradek:file", value: `dist/vendor/${file}` }] };
  });
  components.push({
    "bom-ref": "core.wasm",
    type: "file",
    name: "dist/core.wasm",
    hashes: [{ alg: "SHA-256", content: core }],
    licenses: [{ license: { id: "Apache-2.0" } }],
  });
  const { component, ...metadata } = bill.metadata;
  const self = { ...component, name, hashes: [{ alg: "SHA-512", content: tarball }] };
  const refs = components.map((each) => each["bom-ref"]);
  const dependencies = [{ ref: self["bom-ref"], dependsOn: refs }, ...refs.map((ref) => ({ ref, dependsOn: [] }))];
  return { ...bill, metadata: { ...metadata, lifecycles: [{ phase: "build" }], component: self }, components, dependencies };
}

function hashOf(path, algorithm) {
  return createHash(algorithm).update(readFileSync(path)).digest("hex");
}
