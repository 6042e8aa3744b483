import { describe, expect, it } from "vitest";
import { compareWithFaces, faceExports, faceText } from "./face-check.ts";

/** Faces that ask for something else than what ships; each must be refused, or the comparison sees nothing. */
const wrongFaces: readonly (readonly [sentence: string, from: string, to: string])[] = [
  ["offsets as bigint", "readonly offset: A extends 0 ? undefined : number;", "readonly offset: A extends 0 ? undefined : bigint;"],
  [
    "a method that is not there",
    "listTopics(): Promise<string[]>;",
    "listTopics(): Promise<string[]>; renameTopic(from: string, to: string): Promise<void>;",
  ],
  [
    "an answer that is not a promise",
    "describeGroup(groupId: string): Promise<GroupDescription>;",
    "describeGroup(groupId: string): GroupDescription;",
  ],
  ["an option of another type", "lingerMs: number;", "lingerMs: string;"],
  ["an option that is not there", "bufferMemory: number;", "bufferMemory: number; batchCount: number;"],
  ["an error's field of another type", "readonly nextReadableOffset: number | null;", "readonly nextReadableOffset: string;"],
  [
    "an error class that is not there",
    "export declare class GroupError",
    'export declare class LagError extends OdradekError { override readonly name: "LagError" }\nexport declare class GroupError',
  ],
  [
    "a serde that is not there",
    "export declare const utf8: Serde<string>;",
    "export declare const utf8: Serde<string>;\nexport declare const latin1: Serde<string>;",
  ],
  ["a type that is not there", "export type Acks =", "export type Nacks = 1;\nexport type Acks ="],
];

describe("the face", () => {
  it("declares what the comparison looks at", () => {
    const { types, errors, values } = faceExports(faceText);
    expect([...values].sort()).toEqual(["bytes", "json", "memory", "msgpack", "open", "utf8"]);
    expect(errors).toHaveLength(10);
    expect(types.length).toBeGreaterThan(45);
  });

  it("is what ships, name by name, and a face that asks for more is refused", async () => {
    const faces = wrongFaces.map(([sentence, from, to]) => {
      expect(faceText, sentence).toContain(from);
      return faceText.replace(from, to);
    });
    const [complaints, ...refusals] = await compareWithFaces([faceText, ...faces]);
    expect(complaints).toBe("");
    for (const [index, refusal] of refusals.entries()) expect(refusal, wrongFaces[index]?.[0]).not.toBe("");
  });
});
