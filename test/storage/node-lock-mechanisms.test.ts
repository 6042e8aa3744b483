/** The ways to lock a directory, each by itself: what it leaves behind, and what it does not believe. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { holderLine, parseHolder } from "../../src/storage/lock-holder.ts";
import { nodeHolder } from "../../src/storage/node.ts";
import { pidInLockTable } from "../../src/storage/node-broker-lock.ts";
import { lockDirectory } from "../../src/storage/node-lock.ts";
import { fileSystemTypeOf } from "../../src/storage/node-network-file-system.ts";
import { directory, lockOrder, opener, optionsOf, refusal, takeAndRelease, useLockBed } from "./lock-bed.ts";

useLockBed();

describe("flock", () => {
  it("is refused in a sentence where the program is missing", async () => {
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf("auto", { flockPrograms: ["/nowhere/flock"] })));
    expect(error.code).toBe("LOCK_UNAVAILABLE");
    expect(error.message).toContain("flock (of util-linux)");
    expect(error.message).toContain('lock: "socket"');
    await takeAndRelease("auto");
  });

  it("is not believed when a program says yes and the kernel knows of no lock", async () => {
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf("auto", { flockPrograms: ["/bin/true"] })));
    expect(error.code).toBe("LOCK_UNAVAILABLE");
    expect(error.message).toContain("the kernel knows of no lock");
    await takeAndRelease("auto");
  });

  it("is refused with the program's own words when it fails otherwise", async () => {
    const fake = join(directory, "flock");
    writeFileSync(fake, "#!/bin/sh\necho no such applet >&2\nexit 127\n", { mode: 0o755 });
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf("auto", { flockPrograms: [fake] })));
    expect(error.code).toBe("LOCK_UNAVAILABLE");
    expect(error.message).toContain("status 127: no such applet");
  });

  it("is taken again when the file was replaced between opening and locking it", async () => {
    const path = join(directory, ".odradek-lock");
    let replaced = 0;
    const afterFlock = (): void => {
      if (replaced++ > 0) return;
      writeFileSync(`${path}.new`, "");
      renameSync(`${path}.new`, path);
    };
    const lock = await lockDirectory(directory, nodeHolder(), optionsOf("auto", { afterFlock }));
    expect(replaced).toBe(2);
    expect(lock.stillHeld()).toBe(true);
    const second = await opener();
    expect((await second.order(lockOrder("auto", { retryMs: 0 })))?.code).toBe("DIRECTORY_IN_USE");
    await lock.release();
  });

  it("leaves one empty file behind, which is never removed", async () => {
    await takeAndRelease("auto");
    const first = statSync(join(directory, ".odradek-lock")).ino;
    await takeAndRelease("auto");
    expect(readdirSync(directory)).toEqual([".odradek-lock"]);
    expect(statSync(join(directory, ".odradek-lock")).ino).toBe(first);
    expect(readFileSync(join(directory, ".odradek-lock"), "utf8")).toBe("");
  });

  it("names the flag of the permission model when programs may not be run", async () => {
    // Node 20 knows the model by its older name alone, Node 24 by its newer.
    const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
    const guarded = await opener([], [flag, "--allow-fs-read=*", "--allow-fs-write=*", "--no-warnings"]);
    const answer = await guarded.order(lockOrder("auto"));
    expect(answer?.code).toBe("LOCK_UNAVAILABLE");
    expect(answer?.message).toContain("--allow-child-process");
  });
});

describe("sockets", () => {
  it("leave nothing behind after release", async () => {
    await takeAndRelease("socket");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("of openers that died are swept away by the next owner", async () => {
    for (let round = 0; round < 3; round++) {
      const one = await opener();
      const answer = one.order(lockOrder("socket"));
      await new Promise((wake) => setTimeout(wake, round));
      await one.kill();
      await answer;
    }
    const stray = join(directory, `.odradek-lock.1-${"0".repeat(16)}`);
    mkdirSync(stray);
    await takeAndRelease("socket");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("that are none of ours are not judged", async () => {
    mkdirSync(join(directory, ".odradek-lock"));
    writeFileSync(join(directory, ".odradek-lock", "notes.txt"), "mine");
    expect((await refusal(lockDirectory(directory, nodeHolder(), optionsOf("socket")))).code).toBe("LOCK_UNAVAILABLE");
    expect(readFileSync(join(directory, ".odradek-lock", "notes.txt"), "utf8")).toBe("mine");
  });
});

describe("a Kafka broker", () => {
  it("that holds the directory's .lock is named, and the directory refused", async () => {
    writeFileSync(join(directory, ".lock"), "");
    // As Java's FileChannel.tryLock does it: a record lock by fcntl(2).
    const script =
      "import fcntl,sys; f=open(sys.argv[1],'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('locked', flush=True); sys.stdin.read()";
    if (!existsSync("/usr/bin/python3")) {
      process.stderr.write("not tested here: no /usr/bin/python3 to hold a record lock\n");
      return;
    }
    const broker = spawn("/usr/bin/python3", ["-c", script, join(directory, ".lock")], { stdio: ["pipe", "pipe", "inherit"] });
    await once(broker.stdout, "data");
    const error = await refusal(lockDirectory(directory, nodeHolder(), optionsOf("auto")));
    expect(error.code).toBe("DIRECTORY_IN_USE");
    expect(error.message).toContain(`process ${broker.pid} (a Kafka broker)`);
    broker.stdin.end();
    await once(broker, "exit");
    await takeAndRelease("auto");
  });

  it("is found in the kernel's table by device and inode, writers alone", () => {
    const table = [
      "1: POSIX  ADVISORY  READ  100 fe:00:77 0 EOF",
      "2: FLOCK  ADVISORY  WRITE 101 fe:00:77 0 EOF",
      "3: -> POSIX  ADVISORY  WRITE 102 fe:00:77 0 EOF",
      "4: POSIX  ADVISORY  WRITE 103 fe:01:77 0 EOF",
      "5: POSIX  ADVISORY  WRITE 104 fe:00:77 0 EOF",
      "6: POSIX  ADVISORY  WRITE 105 00:2f:78 0 EOF",
    ].join("\n");
    expect(pidInLockTable(table, 77, 0xfe00)).toBe(104);
    expect(pidInLockTable(table, 77, 0xfe01)).toBe(103);
    expect(pidInLockTable(table, 77, 0xfe02)).toBe(null);
    expect(pidInLockTable(table, 78, 0x31)).toBe(105);
    expect(pidInLockTable("", 77, 0xfe00)).toBe(null);
  });
});

describe("the holder's line", () => {
  it("is read back as it was written, and anything else as nobody", () => {
    const holder = { pid: 7, runtime: "node", version: "20.1.0", since: "2026-11-22T00:00:00.000Z", argv: ["a", "b\n"], hostname: "h" };
    expect(parseHolder(holderLine(holder))).toEqual(holder);
    for (const broken of ["", "\n", "{", '{"pid":1}', "null\n", "[\n", '"x"\n']) expect(parseHolder(broken)).toBe(null);
    expect(parseHolder('{"pid":"1","runtime":7,"argv":[1]}\n')).toEqual({});
    expect(holderLine({ ...holder, argv: ["x".repeat(100_000)] }).length).toBeLessThan(1000);
  });
});

describe("a network file system", () => {
  it("is told from the mount table by the longest and latest mount that holds the path", () => {
    const table = [
      "20 1 254:0 / / rw - ext4 /dev/vda rw",
      "21 20 0:30 / /mnt/far\\040away rw shared:1 - fuse.sshfs host:/ rw",
      "22 21 0:31 / /mnt/far\\040away/near rw - tmpfs tmpfs rw",
      "23 20 0:32 / /mnt rw - ext4 /dev/vdb rw",
    ].join("\n");
    expect(fileSystemTypeOf("/mnt/far away/data", table)).toBe("fuse.sshfs");
    expect(fileSystemTypeOf("/mnt/far away/near", table)).toBe("tmpfs");
    expect(fileSystemTypeOf("/mnt/far awayer", table)).toBe("ext4");
    expect(fileSystemTypeOf("/home", table)).toBe("ext4");
    expect(fileSystemTypeOf("/home", "")).toBe(null);
  });
});
