/** What a disk may hold after a loss of power: the choices there are, and the image that a chooser makes of them. */
import { type DirectoryChange, SimDirectory, type SimNode } from "./sim-directory.ts";
import { type Moment, type SectorVersion, SimFile, type SizeVersion } from "./sim-file.ts";

export type Fill = "zero" | "garbage" | "stale";

/** Who decides. States are given in their order in time, from the durable one (0) to the newest. */
export interface CrashChooser {
  /** Whether an unflushed change of a directory outlived; asked only when those it depends on did. */
  outlives(time: number): boolean;
  /** Whether of a file's unflushed renaming, which outlived, only the new name did: the old one is there as well, of the same file. */
  halves(): boolean;
  /** Which of a file's sizes stands, by index. */
  size(sizes: readonly Moment[]): number;
  /** Which version of a sector stands, by index. */
  version(versions: readonly Moment[]): number;
  /** What is read where the size covers a sector whose bytes never came to the disk. */
  fill(): Fill;
  /** For a disk that writes sectors in part: how many bytes of the chosen version came to it; `sectorByteLength` for all. */
  tear(sectorByteLength: number): number;
  /** Bytes for the fill. */
  fillBytes(fill: Fill, byteLength: number): Uint8Array;
}

/**
 * An image of `root` after a crash, as `chooser` decides. Files keep their identity: one file under two names is one still.
 * `blockByteLength`: what the file system gives a file at a time; where its bytes did not come, all of it reads as what stood there before.
 */
export function crashImage(root: SimDirectory, chooser: CrashChooser, blockByteLength = 0): SimDirectory {
  const made = new Map<SimNode, SimNode>();
  const image = (node: SimNode): SimNode => {
    let copy = made.get(node);
    if (copy === undefined) {
      copy = node.kind === "file" ? fileImage(node, chooser, blockByteLength) : directoryImage(node);
      made.set(node, copy);
    }
    return copy;
  };
  const directoryImage = (directory: SimDirectory): SimDirectory => {
    const outlived = new Map<number, "whole" | "half">();
    if (directory.changes.length > 0) {
      for (const [at, dependencies] of directory.dependencies().entries()) {
        const change = directory.changes[at]!;
        if (!dependencies.every((earlier) => outlived.has(earlier)) || !chooser.outlives(change.time)) continue;
        outlived.set(at, isFileRename(change) && chooser.halves() ? "half" : "whole");
      }
    }
    const entries = new Map<string, SimNode>();
    for (const [name, node] of directory.surviving(outlived)) entries.set(name, image(node));
    return new SimDirectory(entries);
  };
  return directoryImage(root);
}

function isFileRename({ sets }: DirectoryChange): boolean {
  return sets.length === 2 && sets[1]?.[1]?.kind === "file";
}

function fileImage(file: SimFile, chooser: CrashChooser, blockByteLength: number): SimFile {
  if (file.changeCount === 0) return file.durableImage();
  const sectorByteLength = file.sectorByteLength;
  const { sizes, sectors } = file.history();
  const { byteLength } = sizes[chooser.size(sizes)] as SizeVersion;
  const bytes = file.durableBytes(byteLength);
  const changed = [...sectors.keys()].filter((sector) => sector * sectorByteLength < byteLength).sort((one, other) => one - other);
  const fillBlock = (sector: number, fill: Fill): void => {
    const sectorCount = Math.max(1, Math.floor(blockByteLength / sectorByteLength));
    const first = Math.floor(sector / sectorCount) * sectorCount;
    // A block of which anything is durable was the file's before.
    if (first < file.holesFrom) return;
    for (let other = first; other < first + sectorCount && other * sectorByteLength < byteLength; other += 1)
      if (!sectors.has(other)) bytes.set(chooser.fillBytes(fill, sectorByteLength), other * sectorByteLength);
  };
  for (const sector of changed) {
    const versions = sectors.get(sector) as readonly SectorVersion[];
    bytes.set(
      sectorImage(versions, chooser, sectorByteLength, (fill) => fillBlock(sector, fill)),
      sector * sectorByteLength,
    );
  }
  bytes.fill(0, byteLength);
  const image = new SimFile(sectorByteLength, bytes, byteLength);
  image.modifiedAt = file.modifiedAt;
  return image;
}

function sectorImage(
  versions: readonly SectorVersion[],
  chooser: CrashChooser,
  byteLength: number,
  onFill: (fill: Fill) => void,
): Uint8Array {
  const at = chooser.version(versions);
  const chosen = versions[at]!.bytes;
  if (chosen === null) {
    // Never written afterwards either: a hole, and holes are zeros on every file system.
    const writtenLater = versions.some((version, later) => later > at && version.bytes !== null);
    if (!writtenLater) return new Uint8Array(byteLength);
    const fill = chooser.fill();
    if (fill !== "zero") onFill(fill);
    return chooser.fillBytes(fill, byteLength);
  }
  const tornAt = chooser.tear(byteLength);
  if (tornAt >= byteLength) return chosen;
  const torn = new Uint8Array(byteLength);
  torn.set(versions[at - 1]?.bytes ?? chosen);
  torn.set(chosen.subarray(0, tornAt));
  return torn;
}
