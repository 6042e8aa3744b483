/** Whether a directory is on a network file system, whose locks and flushes are not what they are on a disk. */
import { readFileSync, statfsSync } from "node:fs";

/** File systems that reach over a wire or into another machine, by the magic number that Linux gives (linux/magic.h). */
const NETWORK_MAGIC: Readonly<Record<number, string>> = {
  26985: "NFS",
  20859: "SMB",
  4266872130: "SMB2",
  4283649346: "CIFS",
  12805120: "Ceph",
  1397113167: "AFS",
  1799439955: "AFS",
  1937076805: "Coda",
  22092: "NCP",
  16914839: "9P",
  198183888: "Lustre",
  1196443219: "GPFS",
  1952539503: "OCFS2",
  18225520: "GFS2",
  428016422: "BeeGFS",
};

/** One magic number for everything that a program serves; which program, only the mount table says. */
const FUSE_MAGIC = 0x65735546;
const NETWORK_FUSE =
  /^fuse\.(sshfs|s3fs|s3ql|s3backer|rclone|glusterfs|ceph|ceph-fuse|gcsfuse|blobfuse2?|goofys|mountpoint-s3|juicefs|davfs2?|curlftpfs|smbnetfs|moosefs|mfs|lizardfs|seaweedfs|weed|nfs|grpcfuse|osxfs|vmhgfs-fuse|google-drive-ocamlfuse|onedriver)/;

/** The network file system's name, or null for a local one and for one that cannot be told. */
export function networkFileSystemAt(path: string, platform: string): string | null {
  // What Windows calls \\server\share. Its drive letters and macOS's mounts do not tell; the manual says so.
  if (platform === "win32") return /^\\\\(?![?.]\\)/.test(path) ? "SMB" : null;
  if (platform !== "linux" && platform !== "android") return null;
  const { type } = statfsSync(path);
  const magic = Number(type) >>> 0;
  const known = NETWORK_MAGIC[magic];
  if (known !== undefined) return known;
  if (magic !== FUSE_MAGIC) return null;
  const mounted = fileSystemTypeOf(path, mountInfo());
  return mounted !== null && NETWORK_FUSE.test(mounted) ? mounted : null;
}

function mountInfo(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    // Not to be had: then no name is known, and nothing is refused for it.
    return "";
  }
}

/** The type of the mount that `path` (a real path) is on, by the text of mountinfo (proc_pid_mountinfo(5)); null if it is not there. */
export function fileSystemTypeOf(path: string, mountInfo: string): string | null {
  let best: { readonly point: string; readonly type: string } | null = null;
  for (const line of mountInfo.split("\n")) {
    // 36 35 98:0 /root /mount/point options [optional fields] - type source options
    const [before, after] = line.split(" - ");
    const escaped = before?.split(" ")[4];
    const type = after?.split(" ")[0];
    if (escaped === undefined || type === undefined) continue;
    const point = escaped.replace(/\\([0-7]{3})/g, (_whole, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const inside = path === point || path.startsWith(point.endsWith("/") ? point : `${point}/`);
    // Of mounts on the same point the last one lies on top.
    if (inside && (best === null || point.length >= best.point.length)) best = { point, type };
  }
  return best?.type ?? null;
}
