/** The pages that are made from tables say what the tables say today. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { configPage, errorsPage } from "../../scripts/docs/pages.mjs";
import { ERROR_CODES } from "../../src/base/error-codes.ts";
import { configTable } from "../../src/topic/topic-config.ts";

const page = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");

it("docs/CONFIG.md is what the table of settings makes (npm run docs)", () => {
  expect(page("CONFIG.md")).toBe(configPage(configTable()));
});

it("docs/ERRORS.md is what the table of codes makes (npm run docs)", () => {
  expect(page("ERRORS.md")).toBe(errorsPage(ERROR_CODES));
});
