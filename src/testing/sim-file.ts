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

/** A sector as it stood from `time` on; `bytes` null: not there (behind the end, or never written). */
export interface SectorVersion {
  readonly time: number;
  readonly bytes: Uint8Array | null;
}

/** What may have become of a file: each size and each sector's version goes its own way. */
export interface FileHistory {
  readonly sizes: readonly { readonly time: number; readonly byteLength: number }[];
  readonly sectors: ReadonlyMap<number, readonly SectorVersion[]>;
}

export class SimFile {
  readonly kind = "file";
  readonly sectorByteLength: number;
  modifiedAt = 0;
  #current: Uint8Array = new Uint8Array(0);
  #byteLength = 0;
  #durable: Uint8Array = new Uint8Array(0);
  #durableByteLength = 0;
  #changes: FileChange[] = [];

  constructor(sectorByteLength: number, durable: Uint8Array = new Uint8Array(0)) {
    this.sectorByteLength = sectorByteLength;
    this.#durableByteLength = this.#byteLength = durable.length;
    this.#durable = reserve(new Uint8Array(0), durable.length, sectorByteLength);
    this.#durable.set(durable);
    this.#current = this.#durable.slice();
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get durableByteLength(): number {
    return this.#durableByteLength;
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
    this.#current = reserve(this.#current, end, this.sectorByteLength);
    this.#current.set(bytes, position);
    this.#byteLength = Math.max(this.#byteLength, end);
    this.#note(time, Math.floor(position / this.sectorByteLength), Math.ceil(end / this.sectorByteLength), Number.POSITIVE_INFINITY);
  }

  truncate(byteLength: number, time: number): void {
    const cutFrom = byteLength < this.#byteLength ? Math.ceil(byteLength / this.sectorByteLength) : Number.POSITIVE_INFINITY;
    this.#current = reserve(this.#current, byteLength, this.sectorByteLength);
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
  }

  /** A flush that failed, with the pages marked clean all the same: readable, never to be written (ext4, XFS). */
  loseChanges(time: number): void {
    this.#changes = this.#changes.slice(this.#countUntil(time));
  }

  /** A flush that failed and took the changes out of the cache as well (Btrfs). */
  revertChanges(): void {
    this.#changes = [];
    this.#current = this.#durable.slice();
    this.#byteLength = this.#durableByteLength;
  }

  /** Everything that may be found after a loss of power. The first size and the first version of a sector are the durable ones. */
  history(): FileHistory {
    const sizes = [{ time: 0, byteLength: this.#durableByteLength }];
    const sectors = new Map<number, SectorVersion[]>();
    const durableSectorCount = Math.ceil(this.#durableByteLength / this.sectorByteLength);
    const versionsOf = (sector: number): SectorVersion[] => {
      let versions = sectors.get(sector);
      if (versions === undefined) {
        versions = [{ time: 0, bytes: sector < durableSectorCount ? slot(this.#durable, sector, this.sectorByteLength) : null }];
        sectors.set(sector, versions);
      }
      return versions;
    };
    for (const change of this.#changes) {
      sizes.push({ time: change.time, byteLength: change.byteLength });
      for (let at = 0; at * this.sectorByteLength < change.sectors.length; at++) {
        versionsOf(change.firstSector + at).push({ time: change.time, bytes: slot(change.sectors, at, this.sectorByteLength) });
      }
      if (change.cutFrom === Number.POSITIVE_INFINITY) continue;
      for (let sector = change.cutFrom; sector < durableSectorCount; sector++) versionsOf(sector);
      for (const [sector, versions] of sectors) if (sector >= change.cutFrom) versions.push({ time: change.time, bytes: null });
    }
    return { sizes, sectors };
  }

  /** The durable bytes of one sector, zeros behind the end. */
  durableSector(sector: number): Uint8Array {
    const bytes = new Uint8Array(this.sectorByteLength);
    bytes.set(this.#durable.subarray(sector * this.sectorByteLength, (sector + 1) * this.sectorByteLength));
    return bytes;
  }

  /** The file as a process finds it after another one died: nothing lost, nothing made durable by it. */
  clone(): SimFile {
    const copy = new SimFile(this.sectorByteLength);
    copy.modifiedAt = this.modifiedAt;
    copy.#current = this.#current.slice();
    copy.#byteLength = this.#byteLength;
    copy.#durable = this.#durable.slice();
    copy.#durableByteLength = this.#durableByteLength;
    copy.#changes = [...this.#changes];
    return copy;
  }

  #note(time: number, firstSector: number, endSector: number, cutFrom: number): void {
    const size = this.sectorByteLength;
    const sectors = this.#current.slice(firstSector * size, endSector * size);
    this.#changes.push({ time, byteLength: this.#byteLength, firstSector, sectors, cutFrom });
  }

  #apply(change: FileChange): void {
    const size = this.sectorByteLength;
    this.#durable = reserve(this.#durable, Math.max(change.byteLength, change.firstSector * size + change.sectors.length), size);
    if (change.cutFrom !== Number.POSITIVE_INFINITY) this.#durable.fill(0, change.cutFrom * size);
    this.#durable.set(change.sectors, change.firstSector * size);
    this.#durableByteLength = change.byteLength;
  }

  #countUntil(time: number): number {
    const count = this.#changes.findIndex((change) => change.time > time);
    return count < 0 ? this.#changes.length : count;
  }
}

function slot(bytes: Uint8Array, at: number, byteLength: number): Uint8Array {
  return bytes.slice(at * byteLength, (at + 1) * byteLength);
}

/** Room for `byteLength` in whole sectors, doubled when it must grow; what is new is zeros. */
function reserve(bytes: Uint8Array, byteLength: number, sectorByteLength: number): Uint8Array {
  const needed = Math.ceil(byteLength / sectorByteLength) * sectorByteLength;
  if (needed <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.max(needed, Math.ceil((bytes.length * 2) / sectorByteLength) * sectorByteLength));
  grown.set(bytes);
  return grown;
}
