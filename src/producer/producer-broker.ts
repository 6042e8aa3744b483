/** The part of the broker port that a producer speaks through. */
import type { DataBroker, TopicBroker, TransactionBroker } from "../api/broker.ts";

export type ProducerBroker = Pick<DataBroker, "produce"> & Pick<TopicBroker, "metadata"> & TransactionBroker;
