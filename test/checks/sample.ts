/** A small project under the real rules: the configuration of this one, and a few sources in its layers. Offenders are planted in it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { projectRoot } from "../../scripts/run.mjs";

const configuration = [
  "package.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "tsconfig.portable.json",
  "biome.json",
  ".dependency-cruiser.mjs",
  "scripts/layers.mjs",
];

const sources: Readonly<Record<string, string>> = {
  "src/api/bytes.ts": `/** Bytes. */\nexport type Bytes = Uint8Array;\n`,
  "src/api/broker.ts": `/** The port. */\nexport interface BrokerPort {\n  produce(batch: Uint8Array): Promise<number>;\n}\n`,
  "src/base/clock.ts": `/** Time. */\nexport async function later(value: number): Promise<number> {\n  return value;\n}\n`,
  "src/core/core.ts": `/** The core. */\nimport { later } from "../base/clock.ts";\n\nexport function crc(): Promise<number> {\n  return later(1);\n}\n`,
  "src/storage/node.ts": `/** Files. */\nimport { openSync } from "node:fs";\n\nexport function openFile(name: string): number {\n  return openSync(name, "r");\n}\n`,
  "src/storage/memory.ts": `/** Memory. */\nexport function bytesOf(name: string): number {\n  return name.length;\n}\n`,
  "src/log/segment.ts": `/** A segment. */\nimport { crc } from "../core/core.ts";\n\nexport const sum: () => Promise<number> = crc;\n`,
  "src/engine/engine.ts": `/** The engine. */\nimport type { BrokerPort } from "../api/broker.ts";\nimport { sum } from "../log/segment.ts";\n\nexport class Engine implements BrokerPort {\n  produce(_batch: Uint8Array): Promise<number> {\n    return sum();\n  }\n}\n`,
  "src/producer/producer.ts": `/** The producer. */\nimport type { BrokerPort } from "../api/broker.ts";\n\nexport function send(port: BrokerPort): Promise<number> {\n  return port.produce(new Uint8Array(1));\n}\n`,
  "src/testing/index.ts": `/** For tests. */\nexport { bytesOf } from "../storage/memory.ts";\n`,
  "src/index.ts": `/** The door. */\nimport { Engine } from "./engine/engine.ts";\nimport { send } from "./producer/producer.ts";\nimport { openFile } from "./storage/node.ts";\n\nexport function open(name: string): Promise<number> {\n  openFile(name);\n  return send(new Engine());\n}\n`,
  "src/index.browser.ts": `/** The door, in a browser. */\nexport { Engine } from "./engine/engine.ts";\n`,
  "src/index.workerd.ts": `/** The door, on workerd. */\nimport core from "./core.wasm";\n\nexport const module: object = core;\n`,
  "src/index.edge.ts": `/** The door, at the edge. */\nexport { Engine } from "./engine/engine.ts";\n`,
  "src/opfs.ts": `/** The door to a browser's files. */\nexport { bytesOf as opfs } from "./storage/memory.ts";\n`,
  "src/durable-object.ts": `/** The door to a Durable Object. */\nexport { bytesOf as durableObject } from "./storage/memory.ts";\n`,
  "src/wasm-modules.d.ts": `/** A compiled core. */\ndeclare module "*.wasm" {\n  const module: object;\n  export default module;\n}\n`,
  "src/cli.ts": `/** The command line. */\nconsole.log("offsets");\n`,
};

export class Sample {
  readonly root: string = mkdtempSync(join(tmpdir(), "odradek-sample-"));

  constructor() {
    for (const file of configuration) {
      mkdirSync(dirname(join(this.root, file)), { recursive: true });
      cpSync(join(projectRoot, file), join(this.root, file));
    }
    symlinkSync(join(projectRoot, "node_modules"), join(this.root, "node_modules"));
    for (const [file, text] of Object.entries(sources)) this.write(file, text);
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.root, file)), { recursive: true });
    writeFileSync(join(this.root, file), text);
  }

  /** Runs `judge` with the offender in place, then puts back what stood there. */
  async with<T>(file: string, text: string, judge: (root: string) => T | Promise<T>): Promise<T> {
    this.write(file, text);
    try {
      return await judge(this.root);
    } finally {
      const before = sources[file];
      if (before === undefined) rmSync(join(this.root, file));
      else this.write(file, before);
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** A check's complaints as one text. */
export function complaints(result: { readonly problems: readonly string[] }): string {
  return result.problems.join("\n");
}
