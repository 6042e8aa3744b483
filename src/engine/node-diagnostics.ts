/** Events on Node's diagnostics channels: `odradek:<type>` gets the object that `onEvent` gets. */
import { type Channel, channel } from "node:diagnostics_channel";
import type { OdradekEvent } from "../api/odradek.ts";

const channels: Map<string, Channel> = new Map();

export function publishDiagnostics(event: OdradekEvent): void {
  let found = channels.get(event.type);
  if (found === undefined) {
    found = channel(`odradek:${event.type}`);
    channels.set(event.type, found);
  }
  if (found.hasSubscribers) found.publish(event);
}
