/** The rules of scripts/layers.mjs in dependency-cruiser's words. */
import { filesOf, filesOfRooms, layers, logRooms, lowerThan, nodeFiles, outside, portableEntries, vendored } from "./scripts/layers.mjs";

const everyFolder = [...layers.flat(), ...outside];

const lines = everyFolder.map((folder) => ({
  name: `layer-${folder}`,
  severity: "error",
  comment: `${folder} imports itself and ${lowerThan(folder).join(", ") || "nothing"}: see scripts/layers.mjs`,
  from: { path: filesOf([folder]) },
  to: { path: "^src/", pathNot: filesOf([folder, ...lowerThan(folder)]) },
}));

const rooms = logRooms.flatMap((line, index) =>
  line.map((room) => {
    const lower = logRooms.slice(index + 1).flat();
    return {
      name: `room-${room}`,
      severity: "error",
      comment: `log/${room} imports itself and ${lower.join(", ") || "nothing"} of src/log: see scripts/layers.mjs`,
      from: { path: filesOfRooms([room]) },
      to: { path: "^src/log/", pathNot: filesOfRooms([room, ...lower]) },
    };
  }),
);

export default {
  forbidden: [
    ...lines,
    ...rooms,
    {
      name: "node-only-where-allowed",
      severity: "error",
      comment: "node:* belongs in the files that scripts/layers.mjs lists as nodeFiles: the rest runs everywhere",
      from: { path: "^src/", pathNot: nodeFiles },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "portable-entries-stay-portable",
      severity: "error",
      comment: "this entry runs without Node and must not reach a file that imports node:*",
      from: { path: portableEntries },
      to: { path: nodeFiles, reachable: true },
    },
    {
      name: "node-entry-stays-native",
      severity: "error",
      comment: "Node, Bun and Deno have gzip of their own: the portable one is dead weight there",
      from: { path: "^src/index\\.ts$" },
      to: { path: "^src/vendor/fflate\\.", reachable: true },
    },
    {
      name: "no-packages",
      severity: "error",
      comment: "no runtime dependencies: a package is bundled into src/vendor by scripts/build-vendor.mjs",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-peer", "npm-optional", "npm-no-pkg", "npm-unknown"] },
    },
    ...vendored.map(({ file, from }) => ({
      name: `vendor-${file}`,
      severity: "error",
      comment: `src/vendor/${file} is for ${from} alone`,
      from: { path: "^src/", pathNot: [from, "^src/vendor/"] },
      to: { path: `^src/vendor/${file}\\.` },
    })),
    {
      name: "resolves",
      severity: "error",
      comment: "this import leads nowhere",
      from: { path: "^src/" },
      // The core's module stands beside the entries in dist, not in src.
      to: { couldNotResolve: true, pathNot: "^\\./core\\.wasm" },
    },
    {
      name: "no-circle",
      severity: "error",
      comment: "modules that need each other are one module, or three",
      from: { path: "^src/", pathNot: "^src/api/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};
