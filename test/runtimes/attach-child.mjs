/** Another process: attaches to the log in the directory given, sends a record, says which offset it got, and goes. */
import { open, utf8 } from "odradek";

const log = await open(process.argv[2], { attach: true });
const { offset } = await log.producer({ value: utf8 }).send({ topic: "t", value: "from the other process" });
await log.close();
console.log(`offset ${offset}`);
