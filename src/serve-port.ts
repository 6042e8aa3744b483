/** A log over a message port, at the end that has it. Small: a page that serves what others opened loads nothing else for it. */
import { ATTACH_TIMES, type AttachTimes } from "./attached/door.ts";
import { checkPort, PortChannel } from "./attached/port-channel.ts";
import { Serving } from "./attached/serving.ts";
import { UsageError } from "./base/errors.ts";
import { describeValue } from "./base/options.ts";
import { keeperOf, servedUntilClose } from "./keepers.ts";
import type { ServePort } from "./open-face.ts";
import type { Platform } from "./platform.ts";

export function servePortOn({ clock, storageAt }: Pick<Platform, "clock" | "storageAt">, times: AttachTimes = ATTACH_TIMES): ServePort {
  return (log, port) => {
    const keeper = keeperOf(log);
    if (keeper === undefined) {
      throw new UsageError("INVALID_ARGUMENT", `servePort: expected a log that open() gave, found ${describeValue(log)}`);
    }
    const channel = new PortChannel(checkPort(port, "servePort"));
    // A port has one guest: when that goes, the log need not know of it any more.
    const serving = new Serving({ keeper, clock, pulse: times.pulse, storageAt }, () => forget?.());
    const forget = servedUntilClose(log, () => serving.close());
    if (forget === null) throw new UsageError("LOG_CLOSED", "servePort: the log was closed");
    serving.accept(channel);
    return () => serving.close();
  };
}
