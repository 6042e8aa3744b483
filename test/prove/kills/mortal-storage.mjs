/** A storage driver whose process dies in the middle of one chosen call: before its effect, after it, during it, or with half of it done. */

export class MortalStorage {
  #inner;
  #at;
  #die;
  #count = 0;
  /** "open", "work" or "close": what the process is about, as the one who made it says. */
  phase = "open";

  /** `aheadByteLength`: in the place of what `inner` says, if it says that it pays at all. `at`: `{ phase, calls, name, nth, moment, half }`, each of the first three null for any; null: it does not die here. */
  constructor(inner, at, die, aheadByteLength = inner.aheadByteLength) {
    this.#inner = inner;
    this.#at = at === null ? null : { ...at, name: at.name === null ? null : new RegExp(at.name) };
    this.#die = die;
    for (const fact of ["durability", "atomicReplace", "directorySync", "sharedReaders"]) this[fact] = inner[fact];
    this.aheadByteLength = inner.aheadByteLength === 0 ? 0 : aheadByteLength;
    for (const call of ["list", "createDirectory", "removeDirectory", "replace", "renameDirectory", "remove", "syncDirectory"])
      this[call] = (name, other) => this.later(call, name, () => inner[call](name, other));
  }

  async open(name, options) {
    return new MortalFile(this, name, await this.later("open", name, () => this.#inner.open(name, options)));
  }

  lock(holder, options) {
    return this.later("lock", "", () => this.#inner.lock(holder, options));
  }

  close() {
    return this.#inner.close();
  }

  async later(call, name, body) {
    const moment = this.#meet(call, name);
    if (moment === "before" || moment === "half") this.#die();
    const answer = body();
    if (moment === "during") this.#die();
    const given = await answer;
    if (moment === "after") this.#die();
    return given;
  }

  now(call, name, body) {
    const moment = this.#meet(call, name);
    if (moment === null) return body(1);
    if (moment === "before") this.#die();
    const answer = body(moment === "half" ? this.#at.half : 1);
    this.#die();
    return answer;
  }

  #meet(call, name) {
    const at = this.#at;
    if (at === null || (at.phase !== null && at.phase !== this.phase) || (at.calls !== null && !at.calls.includes(call))) return null;
    if (at.name !== null && !at.name.test(name)) return null;
    return ++this.#count === at.nth ? at.moment : null;
  }
}

class MortalFile {
  #storage;
  #name;
  #file;

  constructor(storage, name, file) {
    this.#storage = storage;
    this.#name = name;
    this.#file = file;
  }

  readAt(into, position) {
    return this.#file.readAt(into, position);
  }

  writeAt(bytes, position) {
    return this.#storage.now("writeAt", this.#name, (share) => {
      if (share === 1) return this.#file.writeAt(bytes, position);
      return this.#file.writeAt(bytes.subarray(0, Math.floor(bytes.length * share)), position);
    });
  }

  truncate(byteLength) {
    this.#storage.now("truncate", this.#name, () => this.#file.truncate(byteLength));
  }

  byteLength() {
    return this.#file.byteLength();
  }

  modifiedAt() {
    return this.#file.modifiedAt();
  }

  sync() {
    return this.#storage.later("sync", this.#name, () => this.#file.sync());
  }

  readAhead(position, byteLength) {
    return this.#file.readAhead(position, byteLength);
  }

  close() {
    return this.#storage.later("closeFile", this.#name, () => this.#file.close());
  }
}
