/** What the engine says of a partition when it makes or opens its log. */
import type { TopicConfig } from "../../api/topic.ts";

export interface PartitionSpec {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  /** Relative to the storage root. */
  readonly directory: string;
  /** Live: asked each time. */
  readonly config: () => Readonly<TopicConfig>;
  /** Nothing is appended, retained away or rewritten: a topic of another writer that was not adopted. */
  readonly frozen: boolean;
  /** Its settings are not known, and a broker may have compacted it; as `frozen` unless given, which is also what is opened to be read alone. */
  readonly isForeign?: boolean;
  /** From Kafka's checkpoint files, where they name this partition. */
  readonly checkpoint: {
    readonly recoveryPoint: number | null;
    readonly logStartOffset: number | null;
    /** What lies before it was compacted. */
    readonly firstDirtyOffset?: number | null;
  };
  /** The marker of a clean shutdown was there when the data directory was opened. */
  readonly cleanShutdown: boolean;
  /** No other writer can have been here since this engine was: what does not fit what it noted was damaged, not rewritten. */
  readonly leftByUs?: boolean;
}
