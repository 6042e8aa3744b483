/** Mends a partition's directory by what a survey found: damaged ranges are set aside, offsets keep their places, what is derived is made anew. */
import type { TopicConfig } from "../../api/topic.ts";
import { scanBatches } from "../batch/batch-scan.ts";
import { LEADER_EPOCH_FILE, LeaderEpochs } from "../books/leader-epochs.ts";
import { PARTITION_METADATA_FILE, writePartitionMetadata } from "../books/partition-metadata.ts";
import type { LogContext } from "../context/log-context.ts";
import type { PartitionSpec } from "../context/partition-spec.ts";
import type { DefectKind } from "../files/defect.ts";
import { segmentFileName } from "../files/file-names.ts";
import { inDirectory, isNotFound, replaceFile } from "../files/replace-file.ts";
import { setAside } from "../files/set-aside.ts";
import { encodeTransactionIndex } from "../producers/transaction-index.ts";
import { sealSegment } from "../seal/sealing.ts";
import { Segment } from "../segment/segment.ts";
import { PartitionState, STATE_FILE } from "../state/partition-state.ts";
import type { PartitionSurvey, SurveyedSegment } from "./partition-survey.ts";
import { asideName, rewriteSegment } from "./segment-rewrite.ts";
import type { DamagedRange } from "./segment-survey.ts";

export interface RepairStep {
  readonly file: string;
  /** What it does, as a sentence without a subject. */
  readonly action: string;
  readonly run: () => Promise<void>;
}

export interface RepairPlan {
  /** In the order in which they must be run, under the directory's lock and with the clean-shutdown marker gone. */
  readonly steps: readonly RepairStep[];
}

/** What no step here can mend: a backup can. */
const BEYOND_REPAIR: ReadonlySet<DefectKind> = new Set(["payload", "changed", "older", "foreign", "missing", "book"]);

export function isRepairable(kind: DefectKind): boolean {
  return !BEYOND_REPAIR.has(kind);
}

/** Nothing is changed yet. A partition whose files are another's, or of an older format, is left alone. */
export function planRepair(context: LogContext, survey: PartitionSurvey, defaults: Readonly<TopicConfig>): RepairPlan {
  const { at, defects } = survey;
  const steps: RepairStep[] = [];
  if (defects.length === 0 || defects.some(({ kind }) => kind === "foreign" || kind === "older")) return { steps };
  const has = (kind: DefectKind): boolean => defects.some((defect) => defect.kind === kind);
  if (has("metadata")) steps.push(metadataStep(context, survey));
  for (const segment of survey.segments) {
    const ranges = segment.ranges.filter((range) => range.reason !== "older");
    if (ranges.length > 0) steps.push(rewriteStep(context, survey, segment, ranges));
    if (segment.txnIndex === "bad") steps.push(txnIndexStep(context, survey, segment));
    const mustRemake = ranges.length > 0 || segment.indexes === "bad" || segment.txnIndex === "bad" || segment.seal === "bad";
    if (mustRemake) steps.push(remakeStep(context, survey, segment, at.config ?? defaults));
  }
  for (const { kind, file } of defects) if (kind === "snapshot") steps.push(snapshotStep(context, survey, file));
  if (has("epochs")) steps.push(epochsStep(context, survey));
  // What the active segment was is told by the state: after a change it would call the mended log damaged.
  const active = survey.segments.at(-1);
  const isActiveChanged = active !== undefined && (active.ranges.length > 0 || active.txnIndex === "bad");
  if (survey.hasState && !has("state") && isActiveChanged) steps.push(stateStep(context, survey, active));
  if (has("state")) steps.push(stateAsideStep(context, survey));
  return { steps };
}

function rewriteStep(
  { core, storage }: LogContext,
  survey: PartitionSurvey,
  segment: SurveyedSegment,
  ranges: readonly DamagedRange[],
): RepairStep {
  const logName = segmentFileName(segment.baseOffset, "log");
  const leaderEpochAt = (offset: number): number =>
    survey.epochs.findLast((each) => each.startOffset <= offset)?.epoch ?? survey.epochs[0]?.epoch ?? 0;
  const said = ranges.map((range) => {
    const aside = range.end === range.position ? "" : `copies bytes ${range.position} to ${range.end} to ${asideName(logName, range)} and `;
    if (range.place !== null) return `${aside}gives the batch there its place at offset ${range.place.baseOffset} again, with every record`;
    if (range.nextOffset === null) return `${aside}ends the log before them, at offset ${range.firstOffset}`;
    return `${aside}leaves a hole of the offsets ${range.firstOffset} to ${range.nextOffset - 1}`;
  });
  return {
    file: segment.file,
    action: said.join("; "),
    run: () => {
      // Where offsets may be missing a gap says enough, except at an end: there it would be handed out again, or pass for a lost segment.
      const fillHoles =
        segment.order === "exact" ||
        segment.isActive ||
        ranges.at(-1)?.nextOffset === survey.segments[survey.segments.indexOf(segment) + 1]?.baseOffset;
      return rewriteSegment(core, storage, survey.at.directory, logName, ranges, { fillHoles, leaderEpochAt });
    },
  };
}

/** What is left of each aborted transaction stands in the log, and says all that the index must. */
function txnIndexStep({ storage }: LogContext, survey: PartitionSurvey, { baseOffset, abortedTransactions }: SurveyedSegment): RepairStep {
  const { directory } = survey.at;
  const name = segmentFileName(baseOffset, "txnindex");
  return {
    file: inDirectory(directory, name),
    action: `makes the index anew from the log, with ${abortedTransactions.length} aborted transactions`,
    run: () => replaceFile(storage, directory, name, encodeTransactionIndex(abortedTransactions)),
  };
}

function snapshotStep({ storage }: LogContext, { at }: PartitionSurvey, file: string): RepairStep {
  return {
    file,
    action: "removes it: what it said stands in the log",
    run: async () => {
      await storage.remove(file);
      await storage.syncDirectory(at.directory);
    },
  };
}

/** Both indexes and, of a sealed segment, the seal, from the log as it is now. */
function remakeStep(context: LogContext, survey: PartitionSurvey, surveyed: SurveyedSegment, config: Readonly<TopicConfig>): RepairStep {
  const { storage, core } = context;
  const { directory, topic, partition, topicId } = survey.at;
  const { baseOffset, isActive, order } = surveyed;
  const seals = !isActive && survey.hasState && topicId !== "";
  const nextBaseOffset = survey.segments[survey.segments.indexOf(surveyed) + 1]?.baseOffset ?? baseOffset;
  return {
    file: inDirectory(directory, segmentFileName(baseOffset, "index")),
    action: `makes the indexes${seals ? " and the seal" : ""} of segment ${baseOffset} anew from its log`,
    run: async () => {
      for (const kind of ["index", "timeindex", "seal"] as const) {
        await storage.remove(inDirectory(directory, segmentFileName(baseOffset, kind))).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
      const segment = new Segment(context, directory, baseOffset, false);
      segment.contiguous = order === "exact";
      const files = await segment.acquire();
      try {
        const expectation = { nextOffset: baseOffset, order: "rising", epochFor: () => null } as const;
        await scanBatches(core, files.log, [0, files.log.byteLength()], expectation, (batch) => {
          segment.admit(files, batch.byteLength, batch.lastOffset, batch.maxTimestamp, config.indexIntervalBytes);
        });
        segment.finishIndexes(files);
        await files.offsetIndex?.sync();
        await files.timeIndex?.sync();
        const spec: PartitionSpec = {
          topic,
          partition,
          topicId,
          directory,
          config: () => config,
          frozen: false,
          checkpoint: { recoveryPoint: null, logStartOffset: null },
          cleanShutdown: false,
        };
        if (seals) await sealSegment(context, spec, segment, { nextBaseOffset });
      } finally {
        segment.release();
        await segment.close();
      }
      await storage.syncDirectory(directory);
    },
  };
}

function epochsStep({ storage }: LogContext, survey: PartitionSurvey): RepairStep {
  const { directory } = survey.at;
  return {
    file: inDirectory(directory, LEADER_EPOCH_FILE),
    action: `sets the file aside and writes the ${survey.epochs.length} epochs that the batches carry`,
    run: async () => {
      await setAside(storage, directory, LEADER_EPOCH_FILE);
      const epochs = await LeaderEpochs.load(storage, directory);
      for (const { epoch, startOffset } of survey.epochs) await epochs.assign(epoch, startOffset);
    },
  };
}

function stateStep(context: LogContext, survey: PartitionSurvey, active: SurveyedSegment): RepairStep {
  const { at } = survey;
  return {
    file: inDirectory(at.directory, STATE_FILE),
    action: "says where the mended log ends",
    run: async () => {
      const log = await context.storage.open(active.file, { create: "no", readOnly: true });
      const expectation = { nextOffset: active.baseOffset, order: "rising", epochFor: () => null } as const;
      const end = await scanBatches(context.core, log, [0, log.byteLength()], expectation, () => {}).finally(() => log.close());
      const state = await PartitionState.load(context, at.directory, { ...at, readOnly: false });
      try {
        const facts = state.facts();
        if (facts === null) return;
        const recoveryPoint = Math.min(facts.recoveryPoint, active.baseOffset);
        // What was known at a later point says nothing of an earlier one: it is read from a snapshot, or the log.
        const isEarlier = recoveryPoint < facts.recoveryPoint;
        await state.writeDurably({
          ...facts,
          recoveryPoint,
          withoutProducers: facts.withoutProducers && !isEarlier,
          txnIndex: isEarlier ? null : facts.txnIndex,
          highWatermark: end.nextOffset,
          durableSegmentBase: active.baseOffset,
          durableEndPosition: end.position,
          durableEndOffset: end.nextOffset,
          cleanlyClosed: false,
          activeSegment: null,
        });
      } finally {
        await state.close();
      }
    },
  };
}

function stateAsideStep({ storage }: LogContext, survey: PartitionSurvey): RepairStep {
  const { directory } = survey.at;
  return {
    file: inDirectory(directory, STATE_FILE),
    action: "sets the file aside; the next open reads the log and makes another",
    run: async () => {
      await setAside(storage, directory, STATE_FILE);
    },
  };
}

function metadataStep({ storage }: LogContext, survey: PartitionSurvey): RepairStep {
  const { directory, topicId } = survey.at;
  return {
    file: inDirectory(directory, PARTITION_METADATA_FILE),
    action: topicId === "" ? "sets the file aside" : `sets the file aside and writes topic id ${topicId}`,
    run: async () => {
      await setAside(storage, directory, PARTITION_METADATA_FILE);
      if (topicId !== "") await writePartitionMetadata(storage, directory, topicId);
    },
  };
}
