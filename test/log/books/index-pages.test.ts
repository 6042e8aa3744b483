/** Pages of indexes in memory: those put last are there, and never more than their bound. */
import { expect, it } from "vitest";
import { INDEX_PAGE_BYTE_LENGTH, IndexPages } from "../../../src/log/index/index-pages.ts";

it("keeps the last 1,024 pages that were put there, whosever they are, and answers for nobody else's", () => {
  const pages = new IndexPages();
  const owners = [pages.newOwner(), pages.newOwner()];
  const put: { owner: number; page: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < 1500; at += 1) {
    const each = { owner: owners[at % 2] as number, page: at >> 1, bytes: new Uint8Array(INDEX_PAGE_BYTE_LENGTH) };
    put.push(each);
    pages.put(each.owner, each.page, each.bytes);
  }
  const kept = put.filter(({ owner, page, bytes }) => pages.find(owner, page) === bytes);
  expect(kept).toEqual(put.slice(-1024));
  expect(pages.find(pages.newOwner(), 700)).toBeUndefined();
});
