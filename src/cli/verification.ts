/** Looks at a whole data directory, without opening it as a log: every partition, every book, every committed offset. Reads alone. */
import type { StorageDriver } from "../api/storage-driver.ts";
import { systemClock, systemRandom } from "../base/clock.ts";
import { OdradekError } from "../base/errors.ts";
import { createCompression } from "../compression/create-compression.ts";
import { nodeCodecs } from "../compression/node-codecs.ts";
import { loadCore } from "../core/load-core.ts";
import { isInternal } from "../engine/house.ts";
import { readOffsetCheckpoint } from "../log/books/checkpoint-file.ts";
import { readCleanShutdown } from "../log/books/clean-shutdown.ts";
import type { LogContext } from "../log/context/log-context.ts";
import { type Defect, REMEDY_BACKUP, REMEDY_REPAIR } from "../log/files/defect.ts";
import { parsePartitionDirectoryName, partitionDirectoryName } from "../log/files/file-names.ts";
import { type PartitionSurvey, type PartitionToSurvey, surveyPartition } from "../log/survey/partition-survey.ts";
import { fenced } from "../storage/fenced.ts";
import { nodeStorage } from "../storage/node.ts";
import { CATALOG_FILE, Catalog } from "../topic/catalog.ts";
import { scanDirectory } from "../topic/directory-scan.ts";
import { resolveConfig } from "../topic/topic-config.ts";
import { checkCommittedOffsets } from "./committed-offsets.ts";

export interface Verification {
  readonly partitions: readonly PartitionSurvey[];
  /** Of the books at the top, and of what no partition's directory shows. */
  readonly defects: readonly Defect[];
  readonly notes: readonly string[];
  readonly cleanShutdown: boolean;
}

const CHECKPOINTS = [
  "recovery-point-offset-checkpoint",
  "log-start-offset-checkpoint",
  "replication-offset-checkpoint",
  "cleaner-offset-checkpoint",
];
/** What `open` allows to be unflushed unless told otherwise. */
const MAX_UNFLUSHED_BYTES = 8 * 1024 * 1024;

export function contextFor(path: string, readOnly: boolean): Promise<LogContext> {
  return contextOn(nodeStorage(path), readOnly);
}

export async function contextOn(driver: StorageDriver, readOnly: boolean): Promise<LogContext> {
  const core = await loadCore();
  return {
    storage: fenced(driver, { readOnly }),
    core,
    compression: createCompression(core, nodeCodecs()),
    clock: systemClock,
    random: systemRandom,
    emit: () => {},
    maxUnflushedBytes: MAX_UNFLUSHED_BYTES,
    readOnly,
  };
}

/** `onPartition` hears of each as soon as it is looked at. */
export async function verifyDirectory(context: LogContext, onPartition: (survey: PartitionSurvey) => void): Promise<Verification> {
  const { storage } = context;
  const defects: Defect[] = [];
  const notes: string[] = [];
  const cleanShutdown = await readCleanShutdown(storage);
  const catalog = await loadCatalog(context, defects);
  const { topics, suspicious, foreign } = scanDirectory(await storage.list(""));
  for (const { name, reason } of suspicious) notes.push(`${name}: ${reason}`);
  for (const name of foreign) notes.push(`${name}: left by a broker, and not looked at`);
  const checkpoints = await readCheckpoints(storage, defects);
  const partitions: PartitionSurvey[] = [];
  for (const [topic, { present }] of topics) {
    const entry = catalog?.topics().get(topic);
    for (const partition of present) {
      if (catalog?.deleting().includes(topic) === true) continue;
      const directory = partitionDirectoryName(topic, partition);
      const config =
        entry === undefined ? null : resolveConfig({ ...(isInternal(topic) ? { cleanupPolicy: "compact" } : {}), ...entry.overrides });
      const recoveryPoint = checkpoints.get("recovery-point-offset-checkpoint")?.get(directory) ?? null;
      const at: PartitionToSurvey = { topic, partition, directory, topicId: entry?.topicId ?? "", config, cleanShutdown, recoveryPoint };
      const survey = await surveyPartition(context, at);
      partitions.push(survey);
      onPartition(survey);
    }
  }
  for (const [topic, { partitions: count }] of catalog?.topics() ?? []) {
    // A partition of an internal topic is made with its first record.
    for (let partition = 0; partition < count && !isInternal(topic); partition += 1) {
      if (topics.get(topic)?.present.includes(partition) === true) continue;
      const file = partitionDirectoryName(topic, partition);
      const problem = `${file}: ${CATALOG_FILE} names the partition, but its directory is not there`;
      defects.push({ kind: "missing", file, byteRange: null, offsetRange: null, problem, remedy: REMEDY_BACKUP });
    }
  }
  checkMarks(checkpoints, partitions, cleanShutdown, defects, notes);
  await checkCommittedOffsets(context, partitions, cleanShutdown, defects, notes);
  return { partitions, defects, notes, cleanShutdown };
}

async function loadCatalog({ storage, core }: LogContext, defects: Defect[]): Promise<Catalog | null> {
  try {
    return await Catalog.load(storage, core);
  } catch (error) {
    if (!(error instanceof OdradekError) || error.code !== "BOOK_CORRUPT") throw error;
    // To those who open the log the error says what to do as well, which is told beside a defect.
    const problem = error.message.replace(`; ${REMEDY_BACKUP}`, "");
    defects.push({ kind: "book", file: CATALOG_FILE, byteRange: null, offsetRange: null, problem, remedy: REMEDY_BACKUP });
    return null;
  }
}

type Checkpoints = ReadonlyMap<string, ReadonlyMap<string, number>>;

async function readCheckpoints(storage: StorageDriver, defects: Defect[]): Promise<Checkpoints> {
  const found = new Map<string, ReadonlyMap<string, number>>();
  for (const file of CHECKPOINTS) {
    try {
      const offsets = await readOffsetCheckpoint(storage, file);
      if (offsets !== null) found.set(file, offsets);
    } catch (error) {
      if (!(error instanceof OdradekError) || error.code !== "BOOK_CORRUPT") throw error;
      defects.push({ kind: "offsets", file, byteRange: null, offsetRange: null, problem: error.message, remedy: REMEDY_REPAIR });
    }
  }
  return found;
}

/** After a close in order no checkpoint speaks of an offset that its partition does not hold. */
function checkMarks(
  checkpoints: Checkpoints,
  partitions: readonly PartitionSurvey[],
  cleanShutdown: boolean,
  defects: Defect[],
  notes: string[],
): void {
  for (const [file, offsets] of checkpoints) {
    for (const [directory, offset] of offsets) {
      const survey = partitions.find((each) => each.at.directory === directory);
      if (survey === undefined) {
        if (parsePartitionDirectoryName(directory)?.topic !== "__cluster_metadata")
          notes.push(`${file}: names ${directory}, which is not there`);
        continue;
      }
      if (offset <= survey.logEndOffset || survey.defects.length > 0) continue;
      const problem = `${file}: says offset ${offset} of ${directory}, whose log ends at ${survey.logEndOffset}`;
      if (cleanShutdown)
        defects.push({
          kind: "offsets",
          file,
          byteRange: null,
          offsetRange: [survey.logEndOffset, offset],
          problem,
          remedy: REMEDY_REPAIR,
        });
      else notes.push(`${problem}; the next open looks for itself`);
    }
  }
}
