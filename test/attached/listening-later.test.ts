/** When the owner of a log begins to listen: not before its own first work, and not at all when it is soon done. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { open } from "../../src/index.ts";
import { temporaryDirectory } from "../face/support.ts";

const ADDRESS_FILE = ".odradek-attach";

it("an owner listens a moment after opening, lets in who came before that, and leaves nothing behind", async () => {
  const directory = await temporaryDirectory();
  const owner = await open(directory);
  expect(existsSync(join(directory, ADDRESS_FILE))).toBe(false);
  await owner.createTopic("orders");
  const attached = await open(directory, { attach: true });
  expect(await attached.listTopics()).toEqual(["orders"]);
  await attached.close();
  await owner.close();
  expect(existsSync(join(directory, ADDRESS_FILE))).toBe(false);
});

it("an owner that closes at once has not listened", async () => {
  const directory = await temporaryDirectory();
  const owner = await open(directory);
  await owner.close();
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(existsSync(join(directory, ADDRESS_FILE))).toBe(false);
  const again = await open(directory);
  await vi.waitFor(() => expect(existsSync(join(directory, ADDRESS_FILE))).toBe(true), 10_000);
  await again.close();
});
