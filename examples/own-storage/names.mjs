/** What may be a name, and how a refusal is said. */
const NAME_PART = /^(?!\.{1,2}$)[^/\\:\0]{1,255}$/;

/** Names have at most two parts, and never lead out of the root. */
export function parsed(name, partsMax = 2) {
  const parts = name.split("/");
  if (parts.length > partsMax || !parts.every((part) => NAME_PART.test(part))) throw errno("EINVAL", name);
  return { directory: parts.length === 2 ? parts[0] : "", base: parts.at(-1) };
}

/** The system's own codes: the engine goes by them. */
export function errno(code, name) {
  return Object.assign(new Error(`${code}: ${name}`), { code });
}
