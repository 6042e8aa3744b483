/** The part of the broker port that a consumer speaks through: it never produces under an id, nor sets quotas. */
import type { DataBroker, GroupBroker, TopicBroker } from "../api/broker.ts";

export type ConsumerBroker = DataBroker & TopicBroker & GroupBroker;
