/** Kafka's `meta.properties`, read and never written: whose directory this was. */
import type { StorageDriver } from "../../api/storage-driver.ts";
import { readWholeFile } from "../files/replace-file.ts";

export const META_PROPERTIES_FILE = "meta.properties";

/** Kafka's has four lines. */
const BYTE_LENGTH_MAX = 64 * 1024;

/** The properties by name (`cluster.id`, `node.id`, `directory.id`, `version`); null when there is no such file. */
export async function readMetaProperties(storage: StorageDriver): Promise<ReadonlyMap<string, string> | null> {
  const bytes = await readWholeFile(storage, META_PROPERTIES_FILE, BYTE_LENGTH_MAX);
  return bytes === null ? null : parseProperties(new TextDecoder().decode(bytes));
}

/** Java's properties format: comments, `=`, `:` or blanks between name and value, escapes, lines continued by a backslash. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    // Every line matches: none ends with a backslash that escapes nothing.
    const [, name, value] = /^((?:[^\\\s=:]|\\[^])*)(?:\s*[=:]\s*|\s+|$)([^]*)$/.exec(line) as RegExpExecArray;
    properties.set(unescaped(name as string), unescaped(value as string));
  }
  return properties;
}

function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let begun: string | null = null;
  for (const natural of text.split(/\r\n|\n|\r/)) {
    const line = natural.trimStart();
    if (begun === null && (line === "" || line.startsWith("#") || line.startsWith("!"))) continue;
    const whole: string = (begun ?? "") + line;
    // An odd number of backslashes at the end: the last one continues the line, it escapes nothing.
    const continues = (/\\*$/.exec(whole) as RegExpExecArray)[0].length % 2 === 1;
    begun = continues ? whole.slice(0, -1) : null;
    if (begun === null) lines.push(whole);
  }
  if (begun !== null) lines.push(begun);
  return lines;
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescaped(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (_, code: string | undefined, character: string | undefined) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    const plain = character as string;
    return Object.hasOwn(ESCAPES, plain) ? (ESCAPES[plain] as string) : plain;
  });
}
