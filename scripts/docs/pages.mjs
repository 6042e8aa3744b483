/** The pages that are tables: given the table, the page as text. */

const cell = (text) => String(text).replaceAll("|", "\\|");

/** @param {readonly import("../../src/topic/topic-config.ts").ConfigRow[]} rows */
export function configPage(rows) {
  const lines = rows.map(
    ({ name, kafkaName, defaultValue, legal, meaning }) =>
      `| \`${name}\` | ${kafkaName === null ? "ours alone" : `\`${kafkaName}\``} | ${cell(defaultValue)} | ${cell(legal)} | ${cell(meaning)} |`,
  );
  return `# Topic settings

Kafka's settings under Kafka's names, in camelCase; values are Kafka's literals, so what the web says of them holds here. Defaults are those of Kafka 4, minima those of 3.9.
Times are milliseconds, sizes bytes. \`Infinity\` stands for Kafka's -1 and 2^63-1. Set them in \`createTopic\`, change them with \`alterTopic\` (null: back to the default), or for
all topics of a log with \`open(path, { topicDefaults })\`. A name that is not in this table is a \`UsageError\` that tells the nearest one.

| name | Kafka's name | default | legal | what it does |
| --- | --- | --- | --- | --- |
${lines.join("\n")}

Made from the table in \`src/topic/topic-config.ts\` by \`npm run docs\`.
`;
}

/** @param {typeof import("../../src/base/error-codes.ts").ERROR_CODES} codes */
export function errorsPage(codes) {
  const lines = Object.entries(codes).map(
    ([code, [kafkaCode, retriable, meaning]]) =>
      `| \`${code}\` | ${kafkaCode === -1 && code !== "UNKNOWN_SERVER_ERROR" ? "ours" : kafkaCode} | ${retriable ? "yes" : "no"} | ${cell(meaning)} |`,
  );
  return `# Errors

Every error is an \`OdradekError\`. Its family says who can mend it, its \`code\` what it is; the code is stable, the message may improve.

| family | who can mend it |
| --- | --- |
| \`UsageError\` | the caller |
| \`OffsetError\` | a seek into \`range\` |
| \`GroupError\` | rejoining the group |
| \`ProducerStateError\` | a new producer |
| \`SerdeError\` | the data or its schema; \`record\` is what is stored, null when it was being sent |
| \`SendBatchError\` | the caller: \`results\` says what became of each record |
| \`StorageError\` | the machine: a full disk, a permission, a lock held elsewhere (\`holder\`) |
| \`CorruptionError\` | a backup or \`odradek repair\`: \`file\`, \`byteRange\`, \`offsetRange\`, \`nextReadableOffset\` |
| \`CoreFaultError\` | us |

| code | Kafka's number | retriable | meaning |
| --- | --- | --- | --- |
${lines.join("\n")}

Made from the table in \`src/base/error-codes.ts\` by \`npm run docs\`.
`;
}
