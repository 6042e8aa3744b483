// Random reads over eleven segments of 1 GiB opened and closed files, and read an index of millions of entries anew, at nearly every read:
// two segments of a log stayed open. And a thousand logs with two each had six thousand handles: that bound was none.
import { describe, expect, it } from "vitest";
import { IDLE_SEGMENTS_OPEN_MAX, IdleSegments } from "../../../src/log/segment/idle-segments.ts";

const segment = () => ({ closeIdle: () => Promise.resolve() });

describe("the sealed segments that stand open", () => {
  it("are those read last, up to a bound", () => {
    const idle = new IdleSegments();
    const all = Array.from({ length: IDLE_SEGMENTS_OPEN_MAX }, segment);
    for (const each of all) expect(idle.touched(each)).toEqual([]);
    expect(idle.touched(all[0] as (typeof all)[0])).toEqual([]);
    const [first, another] = [segment(), segment()];
    expect(idle.touched(first)).toEqual([all[1]]);
    expect(idle.touched(another)).toEqual([all[2]]);
    expect(idle.touched(first)).toEqual([]);
  });

  it("leave their place when their files are closed for another reason", () => {
    const idle = new IdleSegments();
    const all = Array.from({ length: IDLE_SEGMENTS_OPEN_MAX }, segment);
    for (const each of all) idle.touched(each);
    idle.forget(all[3] as (typeof all)[0]);
    expect(idle.touched(segment())).toEqual([]);
    expect(idle.touched(segment())).toEqual([all[0]]);
  });
});
