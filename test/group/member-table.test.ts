/** Why a member is no longer there is told to it when it comes back, for as long as anyone may remember it. */
import { expect, it } from "vitest";
import { newMember } from "../../src/group/member.ts";
import { MemberTable } from "../../src/group/member-table.ts";

const REQUEST = {
  groupId: "g",
  memberId: "",
  groupInstanceId: null,
  clientId: "c",
  sessionTimeoutMs: null,
  rebalanceTimeoutMs: 1000,
  protocolType: "consumer",
  protocols: [{ name: "range", metadata: new Uint8Array(0) }],
};

it("remembers why the last 128 members left, and of those before only that they are not there", () => {
  const table = new MemberTable("g");
  for (let at = 0; at < 200; at += 1) {
    const member = newMember(`m${at}`, REQUEST, "here");
    table.add(member);
    table.remove(member, `reason ${at}`);
  }
  expect(table.size).toBe(0);
  for (let at = 0; at < 200; at += 1) {
    const { code, message } = table.unknown(`m${at}`);
    expect(code).toBe("UNKNOWN_MEMBER_ID");
    expect(message).toContain(at < 72 ? "it never joined, or long ago" : `reason ${at}`);
  }
});
