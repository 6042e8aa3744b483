/** What a disk may hold after a loss of power: the choices there are, and the image that a chooser makes of them. */
import { SimDirectory, type SimNode } from "./sim-directory.ts";
import { type SectorVersion, SimFile } from "./sim-file.ts";

export type Fill = "zero" | "garbage" | "stale";

/** Something that was so from a time on; equal `identity`, equal state. */
export interface Moment {
  readonly time: number;
  readonly identity: number | string;
}

/** Who decides. States are given in their order in time, from the durable one (0) to the newest. */
export interface CrashChooser {
  /** Whether an unflushed change of a directory outlived; asked only when those it depends on did. */
  outlives(time: number): boolean;
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

/** An image of `root` after a crash, as `chooser` decides. Files keep their identity: one file under two names is one still. */
export function crashImage(root: SimDirectory, chooser: CrashChooser): SimDirectory {
  const made = new Map<SimNode, SimNode>();
  const image = (node: SimNode): SimNode => {
    let copy = made.get(node);
    if (copy === undefined) {
      copy = node.kind === "file" ? fileImage(node, chooser) : directoryImage(node);
      made.set(node, copy);
    }
    return copy;
  };
  const directoryImage = (directory: SimDirectory): SimDirectory => {
    const outlived = new Set<number>();
    for (const [at, dependencies] of directory.dependencies().entries()) {
      if (dependencies.every((earlier) => outlived.has(earlier)) && chooser.outlives(directory.changes[at]!.time)) outlived.add(at);
    }
    return new SimDirectory([...directory.surviving(outlived)].map(([name, node]) => [name, image(node)] as const));
  };
  return directoryImage(root);
}

function fileImage(file: SimFile, chooser: CrashChooser): SimFile {
  const sectorByteLength = file.sectorByteLength;
  const history = file.history();
  const sizes = history.sizes;
  const byteLength = sizes.length === 1 ? file.durableByteLength : sizes[chooser.size(sizes.map(sizeMoment))]!.byteLength;
  const bytes = new Uint8Array(Math.ceil(byteLength / sectorByteLength) * sectorByteLength);
  for (let sector = 0; sector * sectorByteLength < byteLength; sector++) {
    const versions = history.sectors.get(sector);
    const content = versions === undefined ? file.durableSector(sector) : sectorImage(versions, chooser, sectorByteLength);
    bytes.set(content, sector * sectorByteLength);
  }
  const image = new SimFile(sectorByteLength, bytes.subarray(0, byteLength));
  image.modifiedAt = file.modifiedAt;
  return image;
}

function sectorImage(versions: readonly SectorVersion[], chooser: CrashChooser, byteLength: number): Uint8Array {
  const at = chooser.version(versions.map(versionMoment));
  const chosen = versions[at]!.bytes;
  if (chosen === null) {
    // Never written afterwards either: a hole, and holes are zeros on every file system.
    const writtenLater = versions.some((version, later) => later > at && version.bytes !== null);
    return writtenLater ? chooser.fillBytes(chooser.fill(), byteLength) : new Uint8Array(byteLength);
  }
  const tornAt = chooser.tear(byteLength);
  if (tornAt >= byteLength) return chosen;
  const torn = new Uint8Array(byteLength);
  torn.set(versions[at - 1]?.bytes ?? chosen);
  torn.set(chosen.subarray(0, tornAt));
  return torn;
}

function sizeMoment(size: { readonly time: number; readonly byteLength: number }): Moment {
  return { time: size.time, identity: size.byteLength };
}

function versionMoment(version: SectorVersion): Moment {
  return {
    time: version.time,
    get identity() {
      return version.bytes === null ? "absent" : version.bytes.join();
    },
  };
}
