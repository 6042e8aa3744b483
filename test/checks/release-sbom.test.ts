import { describe, expect, it } from "vitest";
import { bundled, cutDown } from "../../scripts/release-sbom.mjs";

const names = Object.values(bundled).map(({ name }) => name);
const bill = {
  bomFormat: "CycloneDX",
  metadata: { component: { "bom-ref": "odradek@1.0.0", name: "folder" } },
  components: [...names, "vitest"].map((name) => ({ "bom-ref": `${name}@1.0.0`, name, version: "1.0.0" })),
};
const facts = { name: "odradek", tarball: "aa", core: "bb", versionOf: () => "1.0.0", hasFile: () => true };

describe("the list of what ships", () => {
  it("has each bundled library and the core, and no tool", () => {
    const { components, metadata } = cutDown(bill, Object.keys(bundled), facts) as unknown as {
      components: { name: string }[];
      metadata: { component: { name: string } };
    };
    expect(components.map(({ name }) => name)).toEqual([...names, "dist/core.wasm"]);
    expect(metadata.component.name).toBe("odradek");
  });

  it("names the version that was bundled, whatever else a tool brought for itself", () => {
    const older = { "bom-ref": "commander@0.1.0", name: "commander", version: "0.1.0" };
    const both = { ...bill, components: [older, ...bill.components] };
    expect(JSON.stringify(cutDown(both, ["cli.js"], facts))).not.toContain("0.1.0");
  });

  it("refuses a bundled file that nobody is named for", () => {
    expect(() => cutDown(bill, ["left.js"], facts)).toThrow(/dist\/vendor\/left\.js ships/);
  });

  it("refuses a library that npm does not list", () => {
    expect(() => cutDown({ ...bill, components: [] }, ["fflate.js"], facts)).toThrow(/npm sbom lists no fflate 1\.0\.0/);
  });

  it("refuses changes that are told of and not there", () => {
    expect(() => cutDown(bill, ["fzstd.js"], { ...facts, hasFile: () => false })).toThrow(/fzstd-patches\.mjs/);
  });
});
