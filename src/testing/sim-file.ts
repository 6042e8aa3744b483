/** What a simulated disk holds of one file: the durable bytes, and every change since that no flush has covered. */

/** One change of a file. Whole sectors are kept, as they stood after it: a disk writes no less. */
interface FileChange {
  readonly time: number;
  readonly byteLength: number;
  readonly firstSector: number;
  readonly sectors: Uint8Array;
  /** The first sector that is gone after a cut; `Infinity` for a write. */
  readonly cutFrom: number;
}

/** Something that was so from a time on; `firstEqual` is the index, in its list, of the first that is the same. */
export interface Moment {
  readonly time: number;
  readonly firstEqual: number;
}

/** A sector as it stood from `time` on; `bytes` null: not there (behind the end, or never written). */
export interface SectorVersion extends Moment {
  readonly bytes: Uint8Array | null;
}

export interface SizeVersion extends Moment {
  readonly byteLength: number;
}

/** What may have become of a file: each size and each sector's version goes its own way. */
export interface FileHistory {
  readonly sizes: readonly SizeVersion[];
  readonly sectors: ReadonlyMap<number, readonly SectorVersion[]>;
}

export class SimFile {
  readonly kind = "file";
  readonly sectorByteLength: number;
  modifiedAt = 0;
  #current: Uint8Array;
  #byteLength: number;
  #durable: Uint8Array;
  #durableByteLength: number;
  /** Of the durable sectors, those from here on were never written: a length that was set, and nothing behind it. */
  #holesFrom: number;
  /** Whether the array may be another's as well (the durable bytes, or a file of an image): it is copied before it is written. */
  #isCurrentShared = true;
  #isDurableShared = true;
  #changes: FileChange[] = [];
  #history: FileHistory | null = null;
  /** Of what would be read now; null until asked for. */
  #fingerprint: Fingerprint | null = null;

  /** `durable`, an array of its own and of whole sectors, is the file's from here on; behind `byteLength` stand zeros. */
  constructor(sectorByteLength: number, durable: Uint8Array = NOTHING, byteLength: number = durable.length) {
    this.sectorByteLength = sectorByteLength;
    this.#durableByteLength = this.#byteLength = byteLength;
    this.#durable = this.#current = durable;
    this.#holesFrom = Math.ceil(byteLength / sectorByteLength);
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get durableByteLength(): number {
    return this.#durableByteLength;
  }

  /** From this sector on nothing durable was ever written. */
  get holesFrom(): number {
    return this.#holesFrom;
  }

  /** Changes that no flush has covered. */
  get changeCount(): number {
    return this.#changes.length;
  }

  readAt(into: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(into.length, this.#byteLength - position));
    if (count > 0) into.set(this.#current.subarray(position, position + count));
    return count;
  }

  writeAt(bytes: Uint8Array, position: number, time: number): void {
    if (bytes.length === 0) return;
    const end = position + bytes.length;
    this.#ownCurrent(end);
    this.#current.set(bytes, position);
    this.#byteLength = Math.max(this.#byteLength, end);
    this.#note(time, Math.floor(position / this.sectorByteLength), Math.ceil(end / this.sectorByteLength), Number.POSITIVE_INFINITY);
  }

  truncate(byteLength: number, time: number): void {
    const cutFrom = byteLength < this.#byteLength ? Math.ceil(byteLength / this.sectorByteLength) : Number.POSITIVE_INFINITY;
    this.#ownCurrent(byteLength);
    this.#current.fill(0, Math.min(byteLength, this.#byteLength), this.#byteLength);
    this.#byteLength = byteLength;
    // The sector the cut goes through is written anew; one that is cut off whole is not written at all.
    const boundary = Math.floor(byteLength / this.sectorByteLength);
    this.#note(time, boundary, cutFrom === boundary + 1 ? boundary + 1 : boundary, cutFrom);
  }

  /** A flush that held: what was changed up to `time` is durable. */
  flush(time: number): void {
    const covered = this.#countUntil(time);
    for (const change of this.#changes.slice(0, covered)) this.#apply(change);
    this.#changes = this.#changes.slice(covered);
    this.#history = null;
  }

  /** A flush that failed, with the pages marked clean all the same: readable, never to be written (ext4, XFS). */
  loseChanges(time: number): void {
    this.#changes = this.#changes.slice(this.#countUntil(time));
    this.#history = null;
  }

  /** A flush that failed and took the changes out of the cache as well (Btrfs). */
  revertChanges(): void {
    this.#changes = [];
    this.#history = null;
    this.#fingerprint = null;
    this.#current = this.#durable;
    this.#isCurrentShared = this.#isDurableShared = true;
    this.#byteLength = this.#durableByteLength;
  }

  /** Everything that may be found after a loss of power. The first size and the first version of a sector are the durable ones. */
  history(): FileHistory {
    this.#history ??= this.#newHistory();
    return this.#history;
  }

  #newHistory(): FileHistory {
    const sizes: SizeVersion[] = [{ time: 0, byteLength: this.#durableByteLength, firstEqual: 0 }];
    const sectors = new Map<number, SectorVersion[]>();
    const durableSectorCount = Math.ceil(this.#durableByteLength / this.sectorByteLength);
    const versionsOf = (sector: number): SectorVersion[] => {
      let versions = sectors.get(sector);
      if (versions === undefined) {
        versions = [];
        // A hole has no bytes on the disk: what is written there later gets room of its own, and may never come to it.
        const isThere = sector < Math.min(durableSectorCount, this.#holesFrom);
        note(versions, 0, isThere ? slot(this.#durable, sector, this.sectorByteLength) : null);
        sectors.set(sector, versions);
      }
      return versions;
    };
    for (const { time, byteLength, firstSector, sectors: written, cutFrom } of this.#changes) {
      const before = sizes.findIndex((size) => size.byteLength === byteLength);
      sizes.push({ time, byteLength, firstEqual: before < 0 ? sizes.length : before });
      for (let at = 0; at * this.sectorByteLength < written.length; at++)
        note(versionsOf(firstSector + at), time, slot(written, at, this.sectorByteLength));
      if (cutFrom === Number.POSITIVE_INFINITY) continue;
      for (let sector = cutFrom; sector < durableSectorCount; sector++) versionsOf(sector);
      for (const [sector, versions] of sectors) if (sector >= cutFrom) note(versions, time, null);
    }
    return { sizes, sectors };
  }

  /** The durable bytes, zeros behind them, in whole sectors of a new array. */
  durableBytes(byteLength: number): Uint8Array {
    const bytes = new Uint8Array(Math.ceil(byteLength / this.sectorByteLength) * this.sectorByteLength);
    bytes.set(this.#durable.subarray(0, Math.min(bytes.length, this.#durable.length)));
    return bytes;
  }

  /** A file of which only the durable bytes are left. */
  durableImage(): SimFile {
    this.#isDurableShared = true;
    const image = new SimFile(this.sectorByteLength, this.#durable, this.#durableByteLength);
    image.#holesFrom = this.#holesFrom;
    image.modifiedAt = this.modifiedAt;
    if (this.#current === this.#durable) image.#fingerprint = this.fingerprint();
    return image;
  }

  /** Two words that equal contents share, and others hardly ever. */
  fingerprint(): Fingerprint {
    this.#fingerprint ??= fingerprintOf(this.#current.subarray(0, this.#byteLength));
    return this.#fingerprint;
  }

  /** The file as a process finds it after another one died: nothing lost, nothing made durable by it. */
  clone(): SimFile {
    const copy = new SimFile(this.sectorByteLength, this.#durable, this.#durableByteLength);
    copy.#holesFrom = this.#holesFrom;
    copy.modifiedAt = this.modifiedAt;
    copy.#current = this.#current;
    copy.#byteLength = this.#byteLength;
    copy.#changes = [...this.#changes];
    copy.#history = this.#history;
    copy.#fingerprint = this.#fingerprint;
    this.#isCurrentShared = this.#isDurableShared = true;
    return copy;
  }

  /** Room for `byteLength`, in an array that may be written. */
  #ownCurrent(byteLength: number): void {
    const roomy = reserve(this.#current, byteLength, this.sectorByteLength);
    this.#current = this.#isCurrentShared && roomy === this.#current ? roomy.slice() : roomy;
    this.#isCurrentShared = false;
    this.#fingerprint = null;
  }

  #note(time: number, firstSector: number, endSector: number, cutFrom: number): void {
    const size = this.sectorByteLength;
    const sectors = this.#current.slice(firstSector * size, endSector * size);
    this.#changes.push({ time, byteLength: this.#byteLength, firstSector, sectors, cutFrom });
    this.#history = null;
  }

  #apply(change: FileChange): void {
    const size = this.sectorByteLength;
    const roomy = reserve(this.#durable, Math.max(change.byteLength, change.firstSector * size + change.sectors.length), size);
    this.#durable = this.#isDurableShared && roomy === this.#durable ? roomy.slice() : roomy;
    this.#isDurableShared = false;
    if (change.cutFrom !== Number.POSITIVE_INFINITY) this.#durable.fill(0, change.cutFrom * size);
    this.#durable.set(change.sectors, change.firstSector * size);
    this.#holesFrom = Math.min(this.#holesFrom, change.cutFrom);
    if (change.sectors.length > 0) this.#holesFrom = Math.max(this.#holesFrom, change.firstSector + change.sectors.length / size);
    this.#durableByteLength = change.byteLength;
  }

  #countUntil(time: number): number {
    const count = this.#changes.findIndex((change) => change.time > time);
    return count < 0 ? this.#changes.length : count;
  }
}

/** Two 32-bit words. */
export type Fingerprint = readonly [number, number];

const NOTHING = new Uint8Array(0);

function fingerprintOf(bytes: Uint8Array): Fingerprint {
  let one = bytes.length | 0;
  let other = ~bytes.length;
  const wordCount = bytes.length >>> 2;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, wordCount);
  for (let at = 0; at < bytes.length; at = at < wordCount * 4 ? at + 4 : at + 1) {
    const word = at < wordCount * 4 ? words[at >>> 2]! : bytes[at]!;
    one = Math.imul(one ^ word, 0x01000193) ^ (one >>> 15);
    other = Math.imul((other << 13) ^ (other >>> 19) ^ word, 0x5bd1e995);
  }
  return [one, other];
}

function note(versions: SectorVersion[], time: number, bytes: Uint8Array | null): void {
  const before = versions.findIndex((version) => isEqual(version.bytes, bytes));
  versions.push({ time, bytes, firstEqual: before < 0 ? versions.length : before });
}

function isEqual(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function slot(bytes: Uint8Array, at: number, byteLength: number): Uint8Array {
  return bytes.subarray(at * byteLength, (at + 1) * byteLength);
}

/** Room for `byteLength` in whole sectors, doubled when it must grow; what is new is zeros. */
function reserve(bytes: Uint8Array, byteLength: number, sectorByteLength: number): Uint8Array {
  const needed = Math.ceil(byteLength / sectorByteLength) * sectorByteLength;
  if (needed <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.max(needed, Math.ceil((bytes.length * 2) / sectorByteLength) * sectorByteLength));
  grown.set(bytes);
  return grown;
}
