/** The package on a disk that lies: it keeps what is written to a log to itself until it is closed, or (`?lie=lock`) lets everyone have the lock. */
const real = await import("../../../dist/index.js");
const lie = new URL(import.meta.url).searchParams.get("lie");

export const { open, utf8, OdradekError } = real;

export function nodeStorage(path) {
  const storage = real.nodeStorage(path);
  const open = storage.open.bind(storage);
  const lock = storage.lock.bind(storage);
  if (lie === "lock")
    storage.lock = async (holder, options) => {
      await (await lock(holder, options)).release();
      return { stillHeld: () => true, release: async () => {} };
    };
  else
    storage.open = async (name, options) =>
      name.endsWith(".log") ? keepingToItself(await open(name, options), options.readOnly === true) : open(name, options);
  return storage;
}

/** Answers from memory; the file is written when it is closed, and not before. */
function keepingToItself(file, readOnly) {
  let image = new Uint8Array(file.byteLength());
  file.readAt(image, 0);
  const resize = (byteLength) => {
    const resized = new Uint8Array(byteLength);
    resized.set(image.subarray(0, byteLength));
    image = resized;
  };
  return {
    readAt(into, position) {
      const bytes = image.subarray(position, position + into.length);
      into.set(bytes);
      return bytes.length;
    },
    writeAt(bytes, position) {
      if (position + bytes.length > image.length) resize(position + bytes.length);
      image.set(bytes, position);
      return bytes.length;
    },
    truncate: resize,
    byteLength: () => image.length,
    modifiedAt: () => file.modifiedAt(),
    sync: async () => {},
    readAhead: async () => {},
    async close() {
      if (!readOnly) file.truncate(0);
      for (let at = 0; !readOnly && at < image.length; at += 65_536) file.writeAt(image.subarray(at, at + 65_536), at);
      await file.close();
    },
  };
}
